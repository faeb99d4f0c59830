//! Companies.

use sea_orm::ConnectionTrait;

use super::super::Crm;
use super::super::column::{Column, Source, record};
use super::super::known::known;
use super::super::query::Takes;
use super::super::resource::{Context, Resource, Wanted};
use super::super::serve::serve;
use super::super::store::{Key, folded, given, site};
use super::COMPANIES;
use super::users::{USERS, Users};
use crate::api::CompanyService;
use crate::api::apex::crm::v1 as pb;
use crate::db::Tx;
use crate::error::Result;

record! {
    Company {
        id: Column::id(),
        name: Column::text().needed(),
        organization_id: Column::organization(),
        created_at: Column::stamp(),
        updated_at: Column::stamp(),
        deleted_at: Column::removed(),
        created_by_user_id: Column::to(USERS).server(),
        owned_by_user_id: Column::to(USERS),
        description: Column::text(),
        website: Column::text(),
        industry: Column::text(),
        size: Column::text(),
        external_id: Column::text(),
        merged_into_id: Column::to(COMPANIES).server(),
    } + creator, owner; custom custom_fields_by_name
}

pub(super) struct Companies;

impl Resource for Companies {
    type Record = pb::Company;
    const SOURCE: Source = COMPANIES;
    const NAME: &'static str = "companies";
    const ENTITY: Option<&'static str> = Some("company");
    const TAKES: Takes = Takes {
        join: Some("fastJoinForCompanyList"),
        ..Takes::SEARCH
    };
    const ALONE: bool = true;
    const KEYS: &'static [Key<pb::Company>] = &[
        Key {
            name: "external_id",
            column: "external_id",
            of: |company| given(company.external_id.as_deref()),
            identifies: true,
        },
        Key {
            name: "website",
            column: "match_site",
            of: |company| site(company.website.as_deref()),
            identifies: true,
        },
        Key {
            name: "name",
            column: "match_name",
            of: |company| folded(company.name.as_deref()),
            identifies: true,
        },
    ];

    async fn prepare(
        _: &Tx,
        _: &Context,
        new: &mut pb::Company,
        _: Option<&pb::Company>,
    ) -> Result<()> {
        new.external_id.take_if(|number| number.is_empty());
        Ok(())
    }

    async fn join(
        connection: &impl ConnectionTrait,
        context: &Context,
        records: &mut [pb::Company],
        wanted: &Wanted,
    ) -> Result<()> {
        if !wanted.join {
            return Ok(());
        }
        let ids = records
            .iter()
            .flat_map(|company| [company.created_by_user_id, company.owned_by_user_id]);
        let users = Users::read(connection, context, ids).await?;
        for company in records {
            company.creator = users.person(company.created_by_user_id)?;
            company.owner = users.person(company.owned_by_user_id)?;
        }
        Ok(())
    }
}

impl CompanyService for Crm {
    serve!(list Companies: list_companies(ListCompaniesRequest) -> ListCompaniesResponse);
    serve!(get Companies: get_company(GetCompanyRequest) -> GetCompanyResponse.company);
    known!(create Companies: create_companies(CreateCompaniesRequest) -> CreateCompaniesResponse.companies);
    serve!(update Companies: update_company(UpdateCompanyRequest) -> UpdateCompanyResponse.company);
    serve!(replace Companies: replace_company(ReplaceCompanyRequest) -> ReplaceCompanyResponse.company);
    serve!(delete Companies: delete_company(DeleteCompanyRequest) -> DeleteCompanyResponse.company);
    serve!(restore Companies: restore_company(RestoreCompanyRequest) -> RestoreCompanyResponse.company);
    known!(upsert Companies: upsert_companies(UpsertCompaniesRequest.companies)
        -> UpsertCompaniesResponse of UpsertedCompany.company);
    known!(merge Companies: merge_companies(MergeCompaniesRequest) -> MergeCompaniesResponse.company);
    known!(duplicates Companies: list_duplicate_companies(ListDuplicateCompaniesRequest.company_id {
        external_id, website, name
    }) -> ListDuplicateCompaniesResponse of DuplicateCompany.company);
}
