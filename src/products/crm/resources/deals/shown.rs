//! What is shown with deals: one question per relation and page.

use std::collections::HashMap;

use sea_orm::{ConnectionTrait, QueryResult, Value};

use super::super::super::column::{Record as _, Source};
use super::super::super::query::sql::Sql;
use super::super::super::resource::{Context, Resource as _, Wanted};
use super::super::super::store::related;
use super::super::contacts::Contacts;
use super::super::deal_products::DealProducts;
use super::super::users::Users;
use super::super::{COMPANIES, CONTACTS, PIPELINES, STAGES};
use crate::api::apex::crm::v1 as pb;
use crate::db::sql::rows;
use crate::error::Result;

/// Rows of a relation by their numbers.
type Rows = HashMap<i64, QueryResult>;

pub(super) async fn join(
    connection: &impl ConnectionTrait,
    context: &Context,
    deals: &mut [pb::Deal],
    wanted: &Wanted,
) -> Result<()> {
    let stages = (STAGES, "t.name, t.pipeline_id");
    let stages = read(
        connection,
        context,
        wanted,
        ("pipelineStage", stages),
        deals,
        |deal| deal.pipeline_stage_id,
    );
    let stages = stages.await?;
    let pipelines = (PIPELINES, "t.name");
    let pipelines = read(
        connection,
        context,
        wanted,
        ("pipeline", pipelines),
        deals,
        |deal| deal.pipeline_id,
    );
    let pipelines = pipelines.await?;
    let companies = (
        COMPANIES,
        "t.name, t.organization_id, t.created_by_user_id, t.owned_by_user_id",
    );
    let companies = read(
        connection,
        context,
        wanted,
        ("company", companies),
        deals,
        |deal| deal.company_id,
    );
    let companies = companies.await?;
    let contacts = (
        CONTACTS,
        "t.first_name, t.last_name, t.email, t.phone, t.phone_country_code, t.company_id, t.avatar_url",
    );
    let contacts = read(
        connection,
        context,
        wanted,
        ("contact", contacts),
        deals,
        |deal| deal.contact_id,
    );
    let contacts = contacts.await?;
    let owners = deals
        .iter()
        .map(|deal| deal.owned_by_user_id.filter(|_| wanted.shows("owner")));
    let owners = Users::read(connection, context, owners).await?;
    let mut lines = match wanted.shows("dealProducts") {
        true => lines(connection, context, deals).await?,
        false => HashMap::new(),
    };
    for deal in deals {
        deal.pipeline_stage = of(&stages, deal.pipeline_stage_id, stage)?;
        deal.pipeline = of(&pipelines, deal.pipeline_id, |id, row| {
            let name = row.try_get_by_index(1)?;
            Ok(pb::NamedRecord { id, name })
        })?;
        deal.company = of(&companies, deal.company_id, company)?;
        deal.contact = of(&contacts, deal.contact_id, contact)?;
        if context.hides(Contacts::NAME) {
            deal.contact = deal.contact.take().map(named);
        }
        deal.owner = owners.deal_owner(deal.owned_by_user_id)?;
        deal.deal_products = lines.remove(&deal.id).unwrap_or_default();
    }
    Ok(())
}

async fn read(
    connection: &impl ConnectionTrait,
    context: &Context,
    wanted: &Wanted,
    (name, what): (&str, (Source, &str)),
    deals: &[pb::Deal],
    id: fn(&pb::Deal) -> Option<i64>,
) -> Result<Rows> {
    let ids: Vec<Option<i64>> = match wanted.shows(name) {
        true => deals.iter().map(id).collect(),
        false => Vec::new(),
    };
    related(connection, context, what, ids).await
}

fn of<T>(
    rows: &Rows,
    id: Option<i64>,
    show: impl Fn(i64, &QueryResult) -> Result<T>,
) -> Result<Option<T>> {
    let found = id.and_then(|id| Some((id, rows.get(&id)?)));
    found.map(|(id, row)| show(id, row)).transpose()
}

fn stage(id: i64, row: &QueryResult) -> Result<pb::DealStage> {
    Ok(pb::DealStage {
        id,
        name: row.try_get_by_index(1)?,
        pipeline_id: row.try_get_by_index(2)?,
    })
}

fn company(id: i64, row: &QueryResult) -> Result<pb::DealCompany> {
    Ok(pb::DealCompany {
        id,
        name: row.try_get_by_index(1)?,
        organization_id: row.try_get_by_index(2)?,
        created_by_user_id: row.try_get_by_index(3)?,
        owned_by_user_id: row.try_get_by_index(4)?,
    })
}

fn contact(id: i64, row: &QueryResult) -> Result<pb::DealContact> {
    Ok(pb::DealContact {
        id,
        first_name: row.try_get_by_index(1)?,
        last_name: row.try_get_by_index(2)?,
        email: row.try_get_by_index(3)?,
        phone: row.try_get_by_index(4)?,
        phone_country_code: row.try_get_by_index(5)?,
        company_id: row.try_get_by_index(6)?,
        avatar_url: row.try_get_by_index(7)?,
    })
}

/// What is left of a contact for who may not view contacts.
fn named(contact: pb::DealContact) -> pb::DealContact {
    pb::DealContact {
        id: contact.id,
        first_name: contact.first_name,
        last_name: contact.last_name,
        ..Default::default()
    }
}

/// The products of deals; their names, for who may not view more.
async fn lines(
    connection: &impl ConnectionTrait,
    context: &Context,
    deals: &[pb::Deal],
) -> Result<HashMap<i64, Vec<pb::DealLine>>> {
    let mut lines: HashMap<i64, Vec<pb::DealLine>> = HashMap::new();
    if deals.is_empty() {
        return Ok(lines);
    }
    let columns: Vec<&str> = pb::DealProduct::COLUMNS
        .iter()
        .map(|column| column.name)
        .collect();
    let mut sql = Sql::new(&format!(
        "SELECT {} FROM crm_deal_product WHERE organization_id = ",
        columns.join(", ")
    ));
    sql.bind(context.organization).push(" AND deal_id IN (");
    sql.list(deals.iter().map(|deal| Value::from(deal.id)));
    sql.push(") AND deleted_at IS NULL ORDER BY deal_id, id");
    for row in rows(connection, &sql.text, sql.values).await? {
        let mut own = pb::DealProduct::load(&row)?;
        let of = lines.entry(own.deal_id.unwrap_or_default()).or_default();
        if context.hides(DealProducts::NAME) {
            own = pb::DealProduct {
                id: own.id,
                name: own.name,
                ..Default::default()
            };
        }
        of.push(pb::DealLine {
            id: own.id,
            quantity: own.quantity,
            price: own.price,
            description: own.description,
            discount_type: own.discount_type,
            discount_amount: own.discount_amount,
            discount_percentage: own.discount_percentage,
            tax_percentage: own.tax_percentage,
            total_amount_with_tax: own.total_amount_with_tax,
            total_amount_without_tax: own.total_amount_without_tax,
            product_id: own.product_id,
            name: own.name,
            sku: own.sku,
            main_media_path: own.main_media_path,
        });
    }
    Ok(lines)
}
