//! The tables of the account product.

/// An organization: the tenant itself.
pub mod organization {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "organization")]
    #[allow(missing_docs)]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub name: String,
        pub slug: String,
        pub plan: String,
        pub trial_ends_at: Option<i64>,
        pub created_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    #[allow(missing_docs)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// A user, who may belong to several organizations.
pub mod user {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "account_user")]
    #[allow(missing_docs)]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub email: String,
        pub name: String,
        pub password_hash: String,
        /// The organization that chose the password, until the user sets another.
        pub password_by: Option<i64>,
        pub sessions_from: i64,
        pub disabled_at: Option<i64>,
        pub created_at: i64,
    }

    impl std::fmt::Debug for Model {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.debug_struct("user")
                .field("id", &self.id)
                .finish_non_exhaustive()
        }
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    #[allow(missing_docs)]
    pub enum Relation {
        #[sea_orm(has_many = "super::member::Entity")]
        Member,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// A user in an organization.
pub mod member {
    use sea_orm::entity::prelude::*;

    use crate::db::tenancy::Tenant;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "member")]
    #[allow(missing_docs)]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub organization_id: i64,
        #[sea_orm(primary_key, auto_increment = false)]
        pub user_id: i64,
        pub role: i16,
        pub created_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    #[allow(missing_docs)]
    pub enum Relation {
        #[sea_orm(
            belongs_to = "super::user::Entity",
            from = "Column::UserId",
            to = "super::user::Column::Id"
        )]
        User,
    }

    impl Related<super::user::Entity> for Entity {
        fn to() -> RelationDef {
            Relation::User.def()
        }
    }

    impl ActiveModelBehavior for ActiveModel {}

    impl Tenant for Entity {
        const ORGANIZATION: Column = Column::OrganizationId;
        const DELETED_AT: Option<Column> = None;
    }
}

/// A project of an organization.
pub mod project {
    use sea_orm::entity::prelude::*;

    use crate::db::tenancy::Tenant;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "project")]
    #[allow(missing_docs)]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub number: i64,
        pub id: String,
        pub organization_id: i64,
        pub name: String,
        pub timezone: String,
        pub allowed_origins: String,
        pub consent_mode: String,
        pub created_at: i64,
        pub deleted_at: Option<i64>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    #[allow(missing_docs)]
    pub enum Relation {
        #[sea_orm(has_many = "super::project_key::Entity")]
        ProjectKey,
    }

    impl Related<super::project_key::Entity> for Entity {
        fn to() -> RelationDef {
            Relation::ProjectKey.def()
        }
    }

    impl ActiveModelBehavior for ActiveModel {}

    impl Tenant for Entity {
        const ORGANIZATION: Column = Column::OrganizationId;
        const DELETED_AT: Option<Column> = Some(Column::DeletedAt);
    }
}

/// A public key of a project; reached through its project.
pub mod project_key {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "project_key")]
    #[allow(missing_docs)]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub key: String,
        pub project: i64,
        pub created_at: i64,
        pub revoked_at: Option<i64>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    #[allow(missing_docs)]
    pub enum Relation {
        #[sea_orm(
            belongs_to = "super::project::Entity",
            from = "Column::Project",
            to = "super::project::Column::Number"
        )]
        Project,
    }

    impl Related<super::project::Entity> for Entity {
        fn to() -> RelationDef {
            Relation::Project.def()
        }
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// An API key of an organization.
pub mod api_key {
    use sea_orm::entity::prelude::*;

    use crate::db::tenancy::Tenant;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "api_key")]
    #[allow(missing_docs)]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub number: i64,
        pub id: String,
        pub organization_id: i64,
        pub user_id: i64,
        pub project: Option<i64>,
        pub name: String,
        pub prefix: String,
        pub hash: Vec<u8>,
        pub scopes: String,
        pub created_at: i64,
        pub expires_at: Option<i64>,
        pub revoked_at: Option<i64>,
        pub last_used_at: Option<i64>,
        pub disabled_at: Option<i64>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    #[allow(missing_docs)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}

    impl Tenant for Entity {
        const ORGANIZATION: Column = Column::OrganizationId;
        const DELETED_AT: Option<Column> = Some(Column::RevokedAt);
    }
}
