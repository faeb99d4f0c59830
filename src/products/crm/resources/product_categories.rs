//! Categories of products.

use super::super::Crm;
use super::super::column::{Column, Source, record};
use super::super::resource::Resource;
use super::super::serve::serve;
use super::CATEGORIES;
use crate::api::ProductCategoryService;
use crate::api::apex::crm::v1 as pb;

record! {
    ProductCategory {
        id: Column::id(),
        name: Column::text().needed().partly(),
        organization_id: Column::organization(),
        created_at: Column::stamp(),
        updated_at: Column::stamp(),
        deleted_at: Column::removed(),
    }
}

pub(super) struct ProductCategories;

impl Resource for ProductCategories {
    type Record = pb::ProductCategory;
    const SOURCE: Source = CATEGORIES;
    const NAME: &'static str = "product-categories";
}

impl ProductCategoryService for Crm {
    serve!(list ProductCategories: list_product_categories(ListProductCategoriesRequest) -> ListProductCategoriesResponse);
    serve!(get ProductCategories: get_product_category(GetProductCategoryRequest) -> GetProductCategoryResponse.product_category);
    serve!(create ProductCategories: create_product_categories(CreateProductCategoriesRequest) -> CreateProductCategoriesResponse.product_categories);
    serve!(update ProductCategories: update_product_category(UpdateProductCategoryRequest) -> UpdateProductCategoryResponse.product_category);
    serve!(replace ProductCategories: replace_product_category(ReplaceProductCategoryRequest) -> ReplaceProductCategoryResponse.product_category);
    serve!(delete ProductCategories: delete_product_category(DeleteProductCategoryRequest) -> DeleteProductCategoryResponse.product_category);
    serve!(restore ProductCategories: restore_product_category(RestoreProductCategoryRequest) -> RestoreProductCategoryResponse.product_category);
}
