//! Notes on contacts, deals and companies.

use super::super::Crm;
use super::super::column::{Column, Source, record};
use super::super::resource::Resource;
use super::super::serve::serve;
use super::users::USERS;
use super::{COMPANIES, CONTACTS, DEALS};
use crate::api::NoteService;
use crate::api::apex::crm::v1 as pb;

record! {
    Note {
        id: Column::id(),
        organization_id: Column::organization(),
        content: Column::text().needed(),
        contact_id: Column::to(CONTACTS),
        deal_id: Column::to(DEALS),
        company_id: Column::to(COMPANIES),
        created_by_user_id: Column::to(USERS).server(),
        created_at: Column::stamp(),
        updated_at: Column::stamp(),
        deleted_at: Column::removed(),
    }
}

pub(super) struct Notes;

impl Resource for Notes {
    type Record = pb::Note;
    const SOURCE: Source = Source("crm_note");
    const NAME: &'static str = "notes";
}

impl NoteService for Crm {
    serve!(list Notes: list_notes(ListNotesRequest) -> ListNotesResponse);
    serve!(get Notes: get_note(GetNoteRequest) -> GetNoteResponse.note);
    serve!(create Notes: create_notes(CreateNotesRequest) -> CreateNotesResponse.notes);
    serve!(update Notes: update_note(UpdateNoteRequest) -> UpdateNoteResponse.note);
    serve!(replace Notes: replace_note(ReplaceNoteRequest) -> ReplaceNoteResponse.note);
    serve!(delete Notes: delete_note(DeleteNoteRequest) -> DeleteNoteResponse.note);
    serve!(restore Notes: restore_note(RestoreNoteRequest) -> RestoreNoteResponse.note);
}
