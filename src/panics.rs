//! What the log says of a panic: where it was, and words that the program says
//! always. Words that were put together as it happened may quote a request, as
//! those of a text that was cut between two bytes do.

use std::any::Any;

/// The words of a panic that can stand in a log.
pub fn words(panic: &(dyn Any + Send)) -> &'static str {
    let literal = panic.downcast_ref::<&'static str>();
    literal.copied().unwrap_or("its words are left out")
}

/// Writes panics to the log rather than to standard error.
pub fn log() {
    std::panic::set_hook(Box::new(|panic| {
        let location = panic.location().map(ToString::to_string);
        tracing::error!(location, words = words(panic.payload()), "panicked");
    }));
}
