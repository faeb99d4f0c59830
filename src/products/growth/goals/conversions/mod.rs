//! Which events count as conversions: what projects define, as it is held against
//! events.

mod store;

use sea_orm::ConnectionTrait;

use crate::api::apex::growth::v1 as pb;
use crate::auth::ProjectId;
use crate::error::{Error, Result};
use crate::products::growth::names::{CONVERTED, FORM, PAGE_VIEWS, USUAL};
use crate::products::growth::pattern;
use crate::products::timestamp;

pub(super) use store::{create, delete, list, update};

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
            Type::FormSubmit if self.form_selector.is_empty() => vec![FORM],
            Type::FormSubmit | Type::Click => Vec::new(),
            Type::PageVisit => PAGE_VIEWS.to_vec(),
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
            Type::FormSubmit => name == FORM && self.form_selector.is_empty(),
            Type::PageVisit => {
                PAGE_VIEWS.contains(&name) && pattern::is_like(&self.url_pattern, path)
            }
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

    /// The same as the goal of an experiment.
    pub(in crate::products::growth) fn of_experiment(&self) -> pb::ExperimentGoal {
        let own = self.message();
        pb::ExperimentGoal {
            r#type: self.word().to_owned(),
            form_selector: own.form_selector,
            url_pattern: own.url_pattern,
            selector: own.selector,
            event_name: own.event_name,
            value: own.value,
            conversion_goal_id: Some(own.id),
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

    fn word(&self) -> &'static str {
        let kind = TYPES.iter().find(|(_, own, _)| *own == self.kind);
        kind.map_or("", |(.., word)| word)
    }
}
