//! Queries on tenants' tables begin with the tenant. An entity that belongs to an
//! organization implements [`Tenant`], and its rows are found through [`of`],
//! which filters by organization and hides what is deleted. Finding them in any
//! other way is refused by a lint (`clippy.toml`).

use sea_orm::{ColumnTrait as _, EntityTrait, QueryFilter as _, Select};

use crate::auth::OrganizationId;

/// An entity whose rows belong to organizations.
pub trait Tenant: EntityTrait {
    /// The column that names the organization.
    const ORGANIZATION: Self::Column;
    /// The column that is set once a row is deleted, if rows are kept then.
    const DELETED_AT: Option<Self::Column>;
}

/// The living rows of an organization.
#[allow(clippy::disallowed_methods)] // the one place that may
pub fn of<E: Tenant>(organization: OrganizationId) -> Select<E> {
    let own = E::find().filter(E::ORGANIZATION.eq(organization.0));
    match E::DELETED_AT {
        Some(column) => own.filter(column.is_null()),
        None => own,
    }
}
