//! Products.

use super::super::Crm;
use super::super::column::{Column, Kind, Source, record};
use super::super::query::Takes;
use super::super::resource::{Context, Resource};
use super::super::serve::serve;
use super::{CATEGORIES, PRODUCTS};
use crate::api::ProductService;
use crate::api::apex::crm::v1 as pb;
use crate::db::Tx;
use crate::error::{Error, Result};

record! {
    Product {
        id: Column::id(),
        name: Column::text().needed(),
        description: Column::text(),
        organization_id: Column::organization(),
        status: Column::text().needed(),
        r#type: Column::text().needed(),
        price: Column::of(Kind::Decimal),
        parent_id: Column::to(PRODUCTS),
        sku: Column::text(),
        stock_quantity: Column::of(Kind::Integer),
        is_variant: Column::of(Kind::Flag).needed(),
        product_category_id: Column::to(CATEGORIES),
        created_at: Column::stamp(),
        updated_at: Column::stamp(),
        deleted_at: Column::removed(),
        main_media_path: Column::text(),
    }
}

pub(super) struct Products;

impl Resource for Products {
    type Record = pb::Product;
    const SOURCE: Source = PRODUCTS;
    const NAME: &'static str = "products";
    const TAKES: Takes = Takes::SEARCH;

    async fn prepare(
        _: &Tx,
        _: &Context,
        new: &mut pb::Product,
        old: Option<&pb::Product>,
    ) -> Result<()> {
        new.status.get_or_insert_with(|| "active".to_owned());
        new.r#type.get_or_insert_with(|| "product".to_owned());
        new.is_variant.get_or_insert(new.parent_id.is_some());
        if old.is_some_and(|old| new.parent_id == Some(old.id)) {
            let words = "A product is no variant of itself";
            return Err(Error::invalid_field("parent_id", words));
        }
        Ok(())
    }
}

impl ProductService for Crm {
    serve!(list Products: list_products(ListProductsRequest) -> ListProductsResponse);
    serve!(get Products: get_product(GetProductRequest) -> GetProductResponse.product);
    serve!(create Products: create_products(CreateProductsRequest) -> CreateProductsResponse.products);
    serve!(update Products: update_product(UpdateProductRequest) -> UpdateProductResponse.product);
    serve!(replace Products: replace_product(ReplaceProductRequest) -> ReplaceProductResponse.product);
    serve!(delete Products: delete_product(DeleteProductRequest) -> DeleteProductResponse.product);
    serve!(restore Products: restore_product(RestoreProductRequest) -> RestoreProductResponse.product);
}
