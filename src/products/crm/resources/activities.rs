//! Activities, and how long they take.

use jiff::civil::{Date, DateTime, Time};
use sea_orm::ConnectionTrait;

use super::super::Crm;
use super::super::column::{Column, Kind, Source, record};
use super::super::resource::{Context, Resource, Wanted};
use super::super::serve::serve;
use super::super::store::related;
use super::users::{USERS, Users};
use super::{COMPANIES, CONTACTS, DEALS};
use crate::api::ActivityService;
use crate::api::apex::crm::v1 as pb;
use crate::db::Tx;
use crate::error::{Error, Result};

record! {
    Activity {
        id: Column::id(),
        organization_id: Column::organization(),
        created_by_user_id: Column::to(USERS).server(),
        assigned_to_user_id: Column::to(USERS),
        subject: Column::text().needed(),
        note: Column::text(),
        public_description: Column::text(),
        location: Column::text(),
        location_geocoded: Column::of(Kind::Opaque),
        start_date: Column::of(Kind::Date),
        start_time: Column::of(Kind::Clock),
        end_date: Column::of(Kind::Date),
        end_time: Column::of(Kind::Clock),
        duration: Column::of(Kind::Integer),
        deal_id: Column::to(DEALS),
        contact_id: Column::to(CONTACTS),
        company_id: Column::to(COMPANIES),
        activity_type: Column::text(),
        done: Column::of(Kind::Flag).needed(),
        created_at: Column::stamp(),
        updated_at: Column::stamp(),
        deleted_at: Column::removed(),
    } + created_by_user, assigned_to_user, deal, contact, company
}

pub(super) struct Activities;

impl Resource for Activities {
    type Record = pb::Activity;
    const SOURCE: Source = Source("crm_activity");
    const NAME: &'static str = "activities";

    async fn prepare(
        _: &Tx,
        _: &Context,
        new: &mut pb::Activity,
        old: Option<&pb::Activity>,
    ) -> Result<()> {
        new.done.get_or_insert(false);
        if let Some(kind) = &mut new.activity_type {
            *kind = kind.to_lowercase();
        }
        // What was said of it holds, until it is said when it is and not how long.
        let said = old.is_none_or(|old| old.duration != new.duration);
        let moved = old.is_none_or(|old| span(old) != span(new));
        if new.duration.is_none() || moved && !said {
            new.duration = minutes(new)?.or(new.duration);
        }
        match new.duration {
            Some(..0) => Err(Error::invalid_field(
                "duration",
                "duration must not be negative",
            )),
            Some(_) | None => Ok(()),
        }
    }

    async fn join(
        connection: &impl ConnectionTrait,
        context: &Context,
        records: &mut [pb::Activity],
        wanted: &Wanted,
    ) -> Result<()> {
        let shown = |name, id: Option<i64>| id.filter(|_| wanted.shows(name));
        let users = records.iter().flat_map(|own| {
            [
                shown("created_by_user", own.created_by_user_id),
                shown("assigned_to_user", own.assigned_to_user_id),
            ]
        });
        let users = Users::read(connection, context, users).await?;
        let deals = records.iter().map(|own| shown("deal", own.deal_id));
        let deals = related(connection, context, (DEALS, "t.name"), deals).await?;
        let contacts = records.iter().map(|own| shown("contact", own.contact_id));
        let what = (CONTACTS, "t.first_name, t.last_name");
        let contacts = related(connection, context, what, contacts).await?;
        let companies = records.iter().map(|own| shown("company", own.company_id));
        let companies = related(connection, context, (COMPANIES, "t.name"), companies).await?;
        for own in records {
            own.created_by_user = users.named(own.created_by_user_id)?;
            own.assigned_to_user = users.named(own.assigned_to_user_id)?;
            for (to, id, found) in [
                (&mut own.deal, own.deal_id, &deals),
                (&mut own.company, own.company_id, &companies),
            ] {
                if let Some((id, row)) = id.and_then(|id| Some((id, found.get(&id)?))) {
                    let name = row.try_get_by_index(1)?;
                    *to = Some(pb::NamedRecord { id, name });
                }
            }
            let contact = own.contact_id.and_then(|id| Some((id, contacts.get(&id)?)));
            if let Some((id, row)) = contact {
                let parts: [Option<String>; 2] =
                    [row.try_get_by_index(1)?, row.try_get_by_index(2)?];
                let parts: Vec<String> = parts.into_iter().flatten().collect();
                let full_name = parts.join(" ");
                own.contact = Some(pb::NamedPerson { id, full_name });
            }
        }
        Ok(())
    }
}

type Span<'a> = [&'a Option<String>; 4];

fn span(own: &pb::Activity) -> Span<'_> {
    [
        &own.start_date,
        &own.start_time,
        &own.end_date,
        &own.end_time,
    ]
}

/// Minutes from begin to end, where both are known; an end without a date is of the
/// same day.
fn minutes(own: &pb::Activity) -> Result<Option<i64>> {
    let at = |date: Option<&str>, time: Option<&str>| -> Option<DateTime> {
        let date: Date = date?.parse().ok()?;
        let time: Time = time?.parse().ok()?;
        Some(date.to_datetime(time))
    };
    let (first, last) = (own.start_date.as_deref(), own.end_date.as_deref());
    let backwards = |name: &str| Error::invalid_field(name, "The end is before the beginning");
    // Dates are in the order of their texts.
    if first.zip(last).is_some_and(|(first, last)| last < first) {
        return Err(backwards("end_date"));
    }
    let start = at(first, own.start_time.as_deref());
    let end = at(last.or(first), own.end_time.as_deref());
    let (Some(start), Some(end)) = (start, end) else {
        return Ok(None);
    };
    if end < start {
        return Err(backwards("end_time"));
    }
    let seconds = end.duration_since(start).as_secs();
    Ok(Some(seconds / 60))
}

impl ActivityService for Crm {
    serve!(list Activities: list_activities(ListActivitiesRequest) -> ListActivitiesResponse);
    serve!(get Activities: get_activity(GetActivityRequest) -> GetActivityResponse.activity);
    serve!(create Activities: create_activities(CreateActivitiesRequest) -> CreateActivitiesResponse.activities);
    serve!(update Activities: update_activity(UpdateActivityRequest) -> UpdateActivityResponse.activity);
    serve!(replace Activities: replace_activity(ReplaceActivityRequest) -> ReplaceActivityResponse.activity);
    serve!(delete Activities: delete_activity(DeleteActivityRequest) -> DeleteActivityResponse.activity);
    serve!(restore Activities: restore_activity(RestoreActivityRequest) -> RestoreActivityResponse.activity);
}
