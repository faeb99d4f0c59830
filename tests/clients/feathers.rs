//! The FeathersJS client the CRM's users have, unchanged.

use super::setup::{Setup, Wire};
use super::workshop::Workshop;

#[test]
fn the_rest_client_as_it_comes() {
    let test = "clients::feathers::the_rest_client_as_it_comes";
    if let Some(workshop) = Workshop::new(test) {
        let setup = Setup::new(Wire::Plain, &[]);
        let limited = setup.server.organization("Limited");
        let more = [("LIMITED_KEY", limited.key.as_str())];
        workshop.test(&setup, "feathers.test.mjs", &more);
    }
}
