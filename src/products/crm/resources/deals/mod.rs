//! Deals: where they stand in their pipeline, whether they are won or lost, and what is
//! shown with them.

mod rules;
mod shown;

use sea_orm::ConnectionTrait;

use super::super::Crm;
use super::super::column::{Column, Kind, Source, record};
use super::super::query::Takes;
use super::super::resource::{Context, Resource, Wanted};
use super::super::serve::serve;
use super::users::USERS;
use super::{COMPANIES, CONTACTS, DEALS, PIPELINES, STAGES};
use crate::api::DealService;
use crate::api::apex::crm::v1 as pb;
use crate::db::Tx;
use crate::error::Result;

record! {
    Deal {
        id: Column::id(),
        name: Column::text().needed(),
        amount: Column::of(Kind::Money),
        currency: Column::text().needed(),
        status: Column::of(Kind::Word(&["open", "won", "lost"])).needed(),
        organization_id: Column::organization(),
        pipeline_id: Column::to(PIPELINES).needed(),
        pipeline_stage_id: Column::to(STAGES).needed(),
        contact_id: Column::to(CONTACTS),
        company_id: Column::to(COMPANIES),
        created_by_user_id: Column::to(USERS).server(),
        owned_by_user_id: Column::to(USERS),
        created_at: Column::stamp(),
        updated_at: Column::stamp(),
        deleted_at: Column::removed(),
        won_date: Column::of(Kind::Time).server(),
        lost_date: Column::of(Kind::Time).server(),
        expected_close_date: Column::of(Kind::Time),
    } + pipeline_stage, pipeline, company, contact, owner, deal_products;
    custom custom_fields_by_name
}

pub(super) struct Deals;

impl Resource for Deals {
    type Record = pb::Deal;
    const SOURCE: Source = DEALS;
    const NAME: &'static str = "deals";
    const ENTITY: Option<&'static str> = Some("deal");
    const TAKES: Takes = Takes::SEARCH;

    async fn prepare(
        tx: &Tx,
        context: &Context,
        new: &mut pb::Deal,
        old: Option<&pb::Deal>,
    ) -> Result<()> {
        rules::currency(new)?;
        rules::outcome(context, new, old);
        rules::place(tx, context, new, old).await
    }

    async fn join(
        connection: &impl ConnectionTrait,
        context: &Context,
        records: &mut [pb::Deal],
        wanted: &Wanted,
    ) -> Result<()> {
        shown::join(connection, context, records, wanted).await
    }
}

impl DealService for Crm {
    serve!(list Deals: list_deals(ListDealsRequest) -> ListDealsResponse);
    serve!(get Deals: get_deal(GetDealRequest) -> GetDealResponse.deal);
    serve!(create Deals: create_deals(CreateDealsRequest) -> CreateDealsResponse.deals);
    serve!(update Deals: update_deal(UpdateDealRequest) -> UpdateDealResponse.deal);
    serve!(replace Deals: replace_deal(ReplaceDealRequest) -> ReplaceDealResponse.deal);
    serve!(delete Deals: delete_deal(DeleteDealRequest) -> DeleteDealResponse.deal);
    serve!(restore Deals: restore_deal(RestoreDealRequest) -> RestoreDealResponse.deal);
}
