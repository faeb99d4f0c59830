//! Contacts.

use sea_orm::ConnectionTrait;

use super::super::Crm;
use super::super::column::{Column, Kind, Source, record};
use super::super::known::known;
use super::super::query::Takes;
use super::super::resource::{Beside, Context, Resource, Search, Wanted};
use super::super::serve::serve;
use super::super::store::{Key, folded, given, phone, related};
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
        external_id: Column::text(),
        merged_into_id: Column::to(CONTACTS).server(),
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
        ..Takes::NOTHING
    };
    const SEARCH: Search = Search::Parts {
        table: "crm_contact_search",
        begins: &[
            "b.match_name",
            "LOWER(b.last_name)",
            "b.match_email",
            "b.match_phone",
        ],
    };
    const DUE: Option<&'static str> = Some(
        "INSERT INTO crm_contact_search (crm_contact_search, rowid, search) \
         SELECT 'delete', id, search FROM crm_contact_due WHERE search IS NOT NULL; \
         INSERT INTO crm_contact_search (rowid, search) \
         SELECT t.id, t.search FROM crm_contact_due d JOIN crm_contact t ON t.id = d.id; \
         DELETE FROM crm_contact_due",
    );
    const ALONE: bool = true;
    const KEYS: &'static [Key<pb::Contact>] = &[
        Key {
            name: "external_id",
            column: "external_id",
            of: |contact| given(contact.external_id.as_deref()),
            identifies: true,
        },
        Key {
            name: "email",
            column: "match_email",
            of: |contact| folded(contact.email.as_deref()),
            identifies: true,
        },
        Key {
            name: "phone",
            column: "match_phone",
            of: |contact| {
                let country = contact.phone_country_code.as_deref();
                phone(country, contact.phone.as_deref())
            },
            identifies: true,
        },
        Key {
            name: "name",
            column: "match_name",
            of: |contact| {
                let names = [&contact.first_name, &contact.last_name];
                let names: Vec<&str> = names.into_iter().filter_map(Option::as_deref).collect();
                folded(Some(&names.join(" ")))
            },
            identifies: false,
        },
    ];
    const TOGETHER: &'static [&'static [&'static str]] =
        &[&["phone", "phone_country_code", "phone_country_iso"]];

    async fn prepare(
        _: &Tx,
        _: &Context,
        new: &mut pb::Contact,
        _: Option<&pb::Contact>,
    ) -> Result<()> {
        new.external_id.take_if(|number| number.is_empty());
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
    known!(create Contacts: create_contacts(CreateContactsRequest) -> CreateContactsResponse.contacts);
    serve!(update Contacts: update_contact(UpdateContactRequest) -> UpdateContactResponse.contact);
    serve!(replace Contacts: replace_contact(ReplaceContactRequest) -> ReplaceContactResponse.contact);
    serve!(delete Contacts: delete_contact(DeleteContactRequest) -> DeleteContactResponse.contact);
    serve!(restore Contacts: restore_contact(RestoreContactRequest) -> RestoreContactResponse.contact);
    known!(upsert Contacts: upsert_contacts(UpsertContactsRequest.contacts)
        -> UpsertContactsResponse of UpsertedContact.contact);
    known!(merge Contacts: merge_contacts(MergeContactsRequest) -> MergeContactsResponse.contact);
    known!(duplicates Contacts: list_duplicate_contacts(ListDuplicateContactsRequest.contact_id {
        external_id, email, phone, phone_country_code, first_name, last_name
    }) -> ListDuplicateContactsResponse of DuplicateContact.contact);
}
