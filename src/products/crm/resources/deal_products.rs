//! What of products is in deals. Totals follow from the rest; name, number in stock and
//! picture are the product's when it came in.

use sea_orm::Value;

use super::super::Crm;
use super::super::column::{Column, Kind, Source, record};
use super::super::decimal::{self, parse, rounded};
use super::super::resource::{Context, Resource};
use super::super::serve::serve;
use super::super::store::missing;
use super::{DEALS, PRODUCTS};
use crate::api::DealProductService;
use crate::api::apex::crm::v1 as pb;
use crate::db::Tx;
use crate::db::sql::row;
use crate::error::{Error, Result};

const DISCOUNTS: Kind = Kind::Word(&["fixed", "percentage", "none"]);
/// Parts of a quantity, and of a percentage of something.
const QUANTITY: i128 = 10_000;
const PERCENT: i128 = 100 * 10_000;
/// Largest total, in cents.
const MOST: i128 = 100_000_000_000_000;

record! {
    DealProduct {
        id: Column::id(),
        quantity: Column::of(Kind::Decimal).needed(),
        price: Column::of(Kind::Money).needed(),
        description: Column::text(),
        discount_type: Column::of(DISCOUNTS).needed(),
        discount_amount: Column::of(Kind::Money),
        discount_percentage: Column::of(Kind::Decimal),
        tax_percentage: Column::of(Kind::Decimal).needed(),
        total_amount_with_tax: Column::of(Kind::Money).server(),
        total_amount_without_tax: Column::of(Kind::Money).server(),
        product_id: Column::to(PRODUCTS).needed().once(),
        deal_id: Column::to(DEALS).needed().once(),
        organization_id: Column::organization(),
        name: Column::text().server(),
        sku: Column::text().server(),
        created_at: Column::stamp(),
        updated_at: Column::stamp(),
        deleted_at: Column::removed(),
        main_media_path: Column::text().server(),
    }
}

pub(super) struct DealProducts;

impl Resource for DealProducts {
    type Record = pb::DealProduct;
    const SOURCE: Source = Source("crm_deal_product");
    const NAME: &'static str = "deal-products";

    async fn prepare(
        tx: &Tx,
        context: &Context,
        new: &mut pb::DealProduct,
        old: Option<&pb::DealProduct>,
    ) -> Result<()> {
        new.discount_type.get_or_insert_with(|| "none".to_owned());
        new.tax_percentage.get_or_insert_with(|| "0".to_owned());
        totals(new)?;
        if let Some(product) = new.product_id.filter(|_| old.is_none()) {
            let sql = "SELECT name, sku, main_media_path FROM crm_product \
                       WHERE organization_id = $1 AND id = $2 AND deleted_at IS NULL";
            let values: [Value; 2] = [context.organization.into(), product.into()];
            let found = row(tx, sql, values).await?;
            let found = found.ok_or_else(|| missing(product))?;
            new.name = found.try_get_by_index(0)?;
            new.sku = found.try_get_by_index(1)?;
            new.main_media_path = found.try_get_by_index(2)?;
        }
        Ok(())
    }

    async fn made(tx: &Tx, context: &Context, new: &pb::DealProduct) -> Result<()> {
        let sql = "SELECT COUNT(*) AS n FROM crm_deal_product \
                   WHERE organization_id = $1 AND deal_id = $2 AND deleted_at IS NULL";
        let values = [context.organization.into(), new.deal_id.into()];
        let found = row(tx, sql, values).await?;
        let count: i64 = found.map_or(Ok(0), |row| row.try_get("", "n"))?;
        match count > LINES {
            true => {
                let words = format!("A deal has at most {LINES} products");
                Err(Error::invalid_field("deal_id", words))
            }
            false => Ok(()),
        }
    }
}

/// Most products of a deal: whoever sees it sees all of them.
const LINES: i64 = 500;

/// A member that is a number of at least nothing.
fn number(name: &str, text: Option<&str>, digits: usize) -> Result<i128> {
    let wrong = |what: &str| Error::invalid_field(name, format!("{name} {what}"));
    let text = text.ok_or_else(|| wrong("is required"))?;
    match parse(text, digits) {
        Ok(number) if number < 0 => Err(wrong("must not be negative")),
        Ok(number) => Ok(number.into()),
        Err(what) => Err(wrong(&what)),
    }
}

/// Works the totals out, in exact parts until the end.
fn totals(new: &mut pb::DealProduct) -> Result<()> {
    let quantity = number("quantity", new.quantity.as_deref(), 4)?;
    let price = number("price", new.price.as_deref(), 2)?;
    let tax = number("tax_percentage", new.tax_percentage.as_deref(), 4)?;
    let gross = quantity * price;
    let off = match new.discount_type.as_deref() {
        Some("fixed") => {
            let amount = number("discount_amount", new.discount_amount.as_deref(), 2)?;
            amount * QUANTITY * PERCENT
        }
        Some("percentage") => {
            let percentage = new.discount_percentage.as_deref();
            gross * number("discount_percentage", percentage, 4)?
        }
        _ => 0,
    };
    let net = gross * PERCENT - off;
    if net < 0 {
        let field = match new.discount_type.as_deref() {
            Some("fixed") => "discount_amount",
            _ => "discount_percentage",
        };
        let words = format!("{field} is more than the price");
        return Err(Error::invalid_field(field, words));
    }
    let without = rounded(net, QUANTITY * PERCENT);
    if without > MOST || tax > 1000 * QUANTITY {
        return Err(Error::invalid_field("price", "The total is too large"));
    }
    let with = rounded(without * (PERCENT + tax), PERCENT);
    new.total_amount_without_tax = Some(decimal::money(without as i64));
    new.total_amount_with_tax = Some(decimal::money(with as i64));
    Ok(())
}

impl DealProductService for Crm {
    serve!(list DealProducts: list_deal_products(ListDealProductsRequest) -> ListDealProductsResponse);
    serve!(get DealProducts: get_deal_product(GetDealProductRequest) -> GetDealProductResponse.deal_product);
    serve!(create DealProducts: create_deal_products(CreateDealProductsRequest) -> CreateDealProductsResponse.deal_products);
    serve!(update DealProducts: update_deal_product(UpdateDealProductRequest) -> UpdateDealProductResponse.deal_product);
    serve!(replace DealProducts: replace_deal_product(ReplaceDealProductRequest) -> ReplaceDealProductResponse.deal_product);
    serve!(delete DealProducts: delete_deal_product(DeleteDealProductRequest) -> DeleteDealProductResponse.deal_product);
    serve!(restore DealProducts: restore_deal_product(RestoreDealProductRequest) -> RestoreDealProductResponse.deal_product);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(of: [&str; 5], discount: &str) -> Result<(String, String)> {
        let [quantity, price, amount, percentage, tax] = of;
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let mut line = pb::DealProduct {
            quantity: given(quantity),
            price: given(price),
            discount_type: given(discount),
            discount_amount: given(amount),
            discount_percentage: given(percentage),
            tax_percentage: given(tax),
            ..Default::default()
        };
        totals(&mut line)?;
        let total = |text: Option<String>| text.unwrap_or_default();
        Ok((
            total(line.total_amount_without_tax),
            total(line.total_amount_with_tax),
        ))
    }

    #[test]
    fn totals_follow_from_the_rest() {
        let of = |without: &str, with: &str| (without.to_owned(), with.to_owned());
        let sample = line(["2", "10000", "", "10", "7"], "percentage").unwrap();
        assert_eq!(sample, of("18000.00", "19260.00"));
        let fixed = line(["3", "9.99", "0.97", "", "0"], "fixed").unwrap();
        assert_eq!(fixed, of("29.00", "29.00"));
        let half = line(["0.5", "0.01", "", "", "0"], "none").unwrap();
        assert_eq!(half, of("0.01", "0.01"));
        for wrong in [
            line(["1", "1", "2", "", "0"], "fixed"),
            line(["1", "1", "", "101", "0"], "percentage"),
            line(["1", "1", "", "", "0"], "fixed"),
            line(["-1", "1", "", "", "0"], "none"),
            line(["999999999999", "999999999999", "", "", "0"], "none"),
        ] {
            assert!(wrong.is_err());
        }
    }
}
