//! Contacts.

use sea_orm::ConnectionTrait;

use super::super::Crm;
use super::super::column::{Column, Kind, Source, record};
use super::super::query::Takes;
use super::super::resource::{Beside, Context, Resource, Search, Wanted};
use super::super::serve::serve;
use super::super::store::related;
use super::users::{USERS, Users};
use super::{COMPANIES, CONTACTS};
use crate::api::ContactService;
use crate::api::apex::crm::v1 as pb;
use crate::db::Tx;
use crate::error::{Error, Result};

record! {
    Contact {
        id: Column::id(),
        first_name: Column::text(),
        last_name: Column::text(),
        email: Column::of(Kind::Email),
        phone: Column::text(),
        phone_country_code: Column::text(),
        phone_country_iso: Column::text(),
        organization_id: Column::organization(),
        created_at: Column::stamp(),
        updated_at: Column::stamp(),
        deleted_at: Column::removed(),
        created_by_user_id: Column::to(USERS).server(),
        owned_by_user_id: Column::to(USERS),
        company_id: Column::to(COMPANIES),
        channel_whatsapp_wa_id: Column::text(),
        channel_instagram_user_id: Column::text(),
        system_type: Column::text().server(),
        avatar_url: Column::text(),
    } + owner, company; custom custom_fields_by_name
}

pub(super) struct Contacts;

impl Resource for Contacts {
    type Record = pb::Contact;
    const SOURCE: Source = CONTACTS;
    const NAME: &'static str = "contacts";
    const ENTITY: Option<&'static str> = Some("contact");
    const TAKES: Takes = Takes {
        search: true,
        tags: true,
        join: Some("fastJoinForContactList"),
    };
    const SEARCH: Search = Search::Parts("crm_contact_search");

    async fn prepare(
        _: &Tx,
        _: &Context,
        new: &mut pb::Contact,
        _: Option<&pb::Contact>,
    ) -> Result<()> {
        let known = [
            &new.first_name,
            &new.last_name,
            &new.email,
            &new.phone,
            &new.channel_whatsapp_wa_id,
            &new.channel_instagram_user_id,
        ];
        let said =
            |text: &&Option<String>| text.as_ref().is_some_and(|text| !text.trim().is_empty());
        if !known.iter().any(said) {
            let words = "A contact needs a first_name, last_name, email, phone or channel";
            return Err(Error::invalid_field("first_name", words));
        }
        new.system_type.get_or_insert_with(|| "contact".to_owned());
        Ok(())
    }

    async fn join(
        connection: &impl ConnectionTrait,
        context: &Context,
        records: &mut [pb::Contact],
        wanted: &Wanted,
    ) -> Result<()> {
        if !wanted.join {
            return Ok(());
        }
        let owners = records.iter().map(|contact| contact.owned_by_user_id);
        let users = Users::read(connection, context, owners).await?;
        let companies = records.iter().map(|contact| contact.company_id);
        let companies = related(connection, context, (COMPANIES, "t.name"), companies).await?;
        for contact in records {
            contact.owner = users.person(contact.owned_by_user_id)?;
            let company = contact
                .company_id
                .and_then(|id| Some((id, companies.get(&id)?)));
            if let Some((id, row)) = company {
                let name = row.try_get_by_index(1)?;
                contact.company = Some(pb::NamedRecord { id, name });
            }
        }
        Ok(())
    }

    /// What is searched: names, e-mail and phone, in small letters.
    fn beside(contact: &pb::Contact) -> Beside {
        let parts = [
            &contact.first_name,
            &contact.last_name,
            &contact.email,
            &contact.phone,
        ];
        let parts: Vec<&str> = parts.into_iter().filter_map(Option::as_deref).collect();
        vec![("search", parts.join(" ").to_lowercase().into())]
    }
}

impl ContactService for Crm {
    serve!(list Contacts: list_contacts(ListContactsRequest) -> ListContactsResponse);
    serve!(get Contacts: get_contact(GetContactRequest) -> GetContactResponse.contact);
    serve!(create Contacts: create_contacts(CreateContactsRequest) -> CreateContactsResponse.contacts);
    serve!(update Contacts: update_contact(UpdateContactRequest) -> UpdateContactResponse.contact);
    serve!(replace Contacts: replace_contact(ReplaceContactRequest) -> ReplaceContactResponse.contact);
    serve!(delete Contacts: delete_contact(DeleteContactRequest) -> DeleteContactResponse.contact);
    serve!(restore Contacts: restore_contact(RestoreContactRequest) -> RestoreContactResponse.contact);
}
