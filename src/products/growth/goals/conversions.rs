//! Which events count as conversions: what projects define, as it is kept, and as it is
//! held against events.

use sea_orm::{ConnectionTrait, QueryResult, Value};
use uuid::Uuid;

use crate::api::apex::growth::v1 as pb;
use crate::auth::ProjectId;
use crate::db::Tx;
use crate::db::sql::{execute, row, rows};
use crate::error::{Error, Result};
use crate::products::timestamp;

/// Conversion goals of a project at the most.
const MOST: i64 = 100;

/// The event that says itself which goal was met.
const CONVERTED: &str = "goal_conversion";
/// Events that count while a project defines nothing.
const USUAL: [&str; 2] = [CONVERTED, "purchase"];
/// Events that are page views.
const VIEWS: [&str; 2] = ["pageview", "page_view"];

/// What kind of event a conversion is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    FormSubmit,
    PageVisit,
    Click,
    CustomEvent,
}

const TYPES: [(pb::ConversionGoalType, Type, &str); 4] = [
    (
        pb::ConversionGoalType::FormSubmit,
        Type::FormSubmit,
        "form_submit",
    ),
    (
        pb::ConversionGoalType::PageVisit,
        Type::PageVisit,
        "page_visit",
    ),
    (pb::ConversionGoalType::Click, Type::Click, "click"),
    (
        pb::ConversionGoalType::CustomEvent,
        Type::CustomEvent,
        "custom_event",
    ),
];

/// A definition. Of the four texts those are kept that its type has a use for.
#[derive(Debug, Clone)]
pub(in crate::products::growth) struct ConversionGoal {
    /// Its id.
    pub(in crate::products::growth) id: String,
    name: String,
    kind: Type,
    form_selector: String,
    url_pattern: String,
    selector: String,
    event_name: String,
    /// Whether it is the one that counts most.
    pub(in crate::products::growth) is_primary: bool,
    /// What one is worth.
    pub(in crate::products::growth) value: Option<f64>,
    created_at: i64,
}

/// What counts as a conversion in a project.
#[derive(Debug, Clone)]
pub(in crate::products::growth) struct Conversions {
    /// What is defined; nothing means the usual.
    pub(in crate::products::growth) goals: Vec<ConversionGoal>,
}

impl Conversions {
    /// Reads what a project defines.
    pub(in crate::products::growth) async fn of(
        connection: &impl ConnectionTrait,
        project: ProjectId,
    ) -> Result<Self> {
        let goals = list(connection, project).await?;
        Ok(Self { goals })
    }

    /// Names of the events among which conversions are.
    pub(in crate::products::growth) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = match self.goals.is_empty() {
            true => USUAL.map(str::to_owned).to_vec(),
            false => self.goals.iter().flat_map(ConversionGoal::names).collect(),
        };
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Whether an event is a conversion. `goal` is the one it says was met itself.
    pub(in crate::products::growth) fn matches(&self, name: &str, path: &str, goal: &str) -> bool {
        match self.goals.is_empty() {
            true => USUAL.contains(&name),
            false => self.goals.iter().any(|own| own.matches(name, path, goal)),
        }
    }
}

impl ConversionGoal {
    /// Names of the events among which its conversions are.
    pub(in crate::products::growth) fn names(&self) -> Vec<String> {
        let own = match self.kind {
            Type::FormSubmit if self.form_selector.is_empty() => vec!["form_submit"],
            Type::FormSubmit | Type::Click => Vec::new(),
            Type::PageVisit => VIEWS.to_vec(),
            Type::CustomEvent => vec![self.event_name.as_str()],
        };
        let all = own.into_iter().chain([CONVERTED]);
        all.map(str::to_owned).collect()
    }

    /// Whether an event is one. `goal` is the one it says was met itself.
    pub(in crate::products::growth) fn matches(&self, name: &str, path: &str, goal: &str) -> bool {
        if name == CONVERTED && !goal.is_empty() && goal == self.id {
            return true;
        }
        match self.kind {
            Type::FormSubmit => name == "form_submit" && self.form_selector.is_empty(),
            Type::PageVisit => VIEWS.contains(&name) && is_like(&self.url_pattern, path),
            Type::Click => false,
            Type::CustomEvent => name == self.event_name,
        }
    }

    pub(super) fn message(&self) -> pb::ConversionGoal {
        let some = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        let kind = TYPES.iter().find(|(_, own, _)| *own == self.kind);
        pb::ConversionGoal {
            id: self.id.clone(),
            name: self.name.clone(),
            r#type: kind.map_or(0, |(number, ..)| i32::from(*number)),
            form_selector: some(&self.form_selector),
            url_pattern: some(&self.url_pattern),
            selector: some(&self.selector),
            event_name: some(&self.event_name),
            is_primary: self.is_primary,
            value: self.value,
            created_at: Some(timestamp(self.created_at)),
        }
    }

    /// Whether it has what its type needs, and nothing else.
    fn checked(mut self) -> Result<Self> {
        self.name = self.name.trim().to_owned();
        let missing =
            |field: &str| Err(Error::invalid_field(field, format!("{field} is required")));
        if self.name.is_empty() {
            return missing("name");
        }
        let (form, page, element, event) = match self.kind {
            Type::FormSubmit => (true, false, false, false),
            Type::PageVisit if self.url_pattern.trim().is_empty() => return missing("urlPattern"),
            Type::PageVisit => (false, true, false, false),
            Type::Click if self.selector.trim().is_empty() => return missing("selector"),
            Type::Click => (false, false, true, false),
            Type::CustomEvent if self.event_name.trim().is_empty() => return missing("eventName"),
            Type::CustomEvent => (false, false, false, true),
        };
        for (used, text) in [
            (form, &mut self.form_selector),
            (page, &mut self.url_pattern),
            (element, &mut self.selector),
            (event, &mut self.event_name),
        ] {
            if !used {
                text.clear();
            }
        }
        Ok(self)
    }

    fn of(row: &QueryResult) -> Result<Self> {
        let word: String = row.try_get("", "kind")?;
        let kind = TYPES.iter().find(|(.., own)| *own == word);
        let (_, kind, _) = kind.ok_or_else(|| Error::internal("a conversion goal of no type"))?;
        Ok(Self {
            id: row.try_get("", "id")?,
            name: row.try_get("", "name")?,
            kind: *kind,
            form_selector: row.try_get("", "form_selector")?,
            url_pattern: row.try_get("", "url_pattern")?,
            selector: row.try_get("", "selector")?,
            event_name: row.try_get("", "event_name")?,
            is_primary: row.try_get::<i16>("", "is_primary")? == 1,
            value: row.try_get("", "value")?,
            created_at: row.try_get("", "created_at")?,
        })
    }

    fn word(&self) -> &'static str {
        let kind = TYPES.iter().find(|(_, own, _)| *own == self.kind);
        kind.map_or("", |(.., word)| word)
    }
}

/// Whether a path is like a pattern, in which `*` stands for anything. Protocol, host
/// and a slash at the end do not matter.
fn is_like(pattern: &str, path: &str) -> bool {
    let pattern = match pattern.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("/", |slash| &rest[slash..]),
        None => pattern,
    };
    let bare = |text: &str| text.trim_end_matches('/').to_owned();
    let (pattern, path) = (bare(pattern), bare(path));
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = path.strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else {
        return rest.is_empty();
    };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

const COLUMNS: &str = "id, name, kind, form_selector, url_pattern, selector, event_name, \
                       is_primary, value, created_at";

/// What a project defines, oldest first.
pub(super) async fn list(
    connection: &impl ConnectionTrait,
    project: ProjectId,
) -> Result<Vec<ConversionGoal>> {
    let sql =
        format!("SELECT {COLUMNS} FROM growth_conversion_goal WHERE project = $1 ORDER BY number");
    let found = rows(connection, &sql, [project.into()]).await?;
    found.iter().map(ConversionGoal::of).collect()
}

async fn find(tx: &Tx, project: ProjectId, id: &str) -> Result<ConversionGoal> {
    let sql =
        format!("SELECT {COLUMNS} FROM growth_conversion_goal WHERE project = $1 AND id = $2");
    let found = row(tx, &sql, [project.into(), id.into()]).await?;
    let unknown = || Error::not_found("Conversion goal not found");
    ConversionGoal::of(&found.ok_or_else(unknown)?)
}

/// Defines one.
pub(super) async fn create(
    tx: &Tx,
    project: ProjectId,
    request: pb::CreateConversionGoalRequest,
    now: i64,
) -> Result<pb::ConversionGoal> {
    let kind = TYPES
        .iter()
        .find(|(number, ..)| i32::from(*number) == request.r#type);
    let (_, kind, _) = kind.ok_or_else(|| {
        let words = "type must be one of form_submit, page_visit, click, custom_event";
        Error::invalid_field("type", words)
    })?;
    let sql = "SELECT COUNT(*) AS n FROM growth_conversion_goal WHERE project = $1";
    if let Some(found) = row(tx, sql, [project.into()]).await?
        && found.try_get::<i64>("", "n")? >= MOST
    {
        let words = format!("A project has at most {MOST} conversion goals");
        return Err(Error::invalid(words));
    }
    let new = ConversionGoal {
        id: format!("cg_{}", Uuid::now_v7().simple()),
        name: request.name,
        kind: *kind,
        form_selector: request.form_selector,
        url_pattern: request.url_pattern,
        selector: request.selector,
        event_name: request.event_name,
        is_primary: request.is_primary,
        value: finite(request.value)?,
        created_at: now,
    };
    let new = new.checked()?;
    if new.is_primary {
        demote(tx, project).await?;
    }
    let sql = "INSERT INTO growth_conversion_goal (project, id, name, kind, form_selector, \
               url_pattern, selector, event_name, is_primary, value, created_at) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    let values: [Value; 11] = [
        project.into(),
        new.id.as_str().into(),
        new.name.as_str().into(),
        new.word().into(),
        new.form_selector.as_str().into(),
        new.url_pattern.as_str().into(),
        new.selector.as_str().into(),
        new.event_name.as_str().into(),
        i16::from(new.is_primary).into(),
        new.value.into(),
        now.into(),
    ];
    execute(tx, sql, values).await?;
    Ok(new.message())
}

/// Changes one.
pub(super) async fn update(
    tx: &Tx,
    project: ProjectId,
    request: pb::UpdateConversionGoalRequest,
) -> Result<pb::ConversionGoal> {
    let mut goal = find(tx, project, &request.id).await?;
    for path in request.update_mask.unwrap_or_default().paths {
        match path.as_str() {
            "name" => goal.name.clone_from(&request.name),
            "form_selector" => goal.form_selector.clone_from(&request.form_selector),
            "url_pattern" => goal.url_pattern.clone_from(&request.url_pattern),
            "selector" => goal.selector.clone_from(&request.selector),
            "event_name" => goal.event_name.clone_from(&request.event_name),
            "is_primary" => goal.is_primary = request.is_primary,
            "value" => goal.value = finite(request.value)?,
            _ => {}
        }
    }
    let goal = goal.checked()?;
    if goal.is_primary {
        demote(tx, project).await?;
    }
    let sql = "UPDATE growth_conversion_goal SET name = $1, form_selector = $2, url_pattern = $3, \
               selector = $4, event_name = $5, is_primary = $6, value = $7 \
               WHERE project = $8 AND id = $9";
    let values: [Value; 9] = [
        goal.name.as_str().into(),
        goal.form_selector.as_str().into(),
        goal.url_pattern.as_str().into(),
        goal.selector.as_str().into(),
        goal.event_name.as_str().into(),
        i16::from(goal.is_primary).into(),
        goal.value.into(),
        project.into(),
        goal.id.as_str().into(),
    ];
    execute(tx, sql, values).await?;
    Ok(goal.message())
}

/// Removes one.
pub(super) async fn delete(tx: &Tx, project: ProjectId, id: &str) -> Result<()> {
    let goal = find(tx, project, id).await?;
    let sql = "DELETE FROM growth_conversion_goal WHERE project = $1 AND id = $2";
    execute(tx, sql, [project.into(), goal.id.into()]).await?;
    Ok(())
}

/// No goal is the primary one.
async fn demote(tx: &Tx, project: ProjectId) -> Result<()> {
    let sql = "UPDATE growth_conversion_goal SET is_primary = 0 \
               WHERE project = $1 AND is_primary = 1";
    execute(tx, sql, [project.into()]).await?;
    Ok(())
}

fn finite(value: Option<f64>) -> Result<Option<f64>> {
    match value {
        Some(value) if !value.is_finite() => {
            Err(Error::invalid_field("value", "value must be a number"))
        }
        value => Ok(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_of_paths() {
        for (pattern, path) in [
            ("/thanks", "/thanks"),
            ("/thanks/", "/thanks"),
            ("https://shop.example/thanks", "/thanks/"),
            ("https://shop.example", "/"),
            ("/orders/*", "/orders/12"),
            ("/*/done", "/a/b/done"),
            ("*", "/anything"),
            ("/a*b*c", "/a-b-b-c"),
        ] {
            assert!(is_like(pattern, path), "{pattern} {path}");
        }
        for (pattern, path) in [
            ("/thanks", "/thanks/you"),
            ("/thanks", "/"),
            ("/orders/*/done", "/orders/12"),
            ("/a*a", "/a"),
        ] {
            assert!(!is_like(pattern, path), "{pattern} {path}");
        }
    }
}
