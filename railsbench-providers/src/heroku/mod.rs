//! Heroku as a provider: dynos, through the Platform API.
//!
//! A run is an app whose process types are the dyno sizes. It gets the run's config vars, one
//! release that serves all sizes, and as many dynos of a size as there are machines. Heroku has
//! no tags: an app is ours by its name and by the config var that names its run, and deleting it
//! deletes all that belongs to it.
//!
//! Nothing in Heroku ends a dyno for good: one that ended is started again. So a machine's end is
//! kept in four ways. The runner's time counts from the making of the app, over all restarts.
//! Whoever looks at the machines' status scales a process type to zero once all of its dynos have
//! ended. The teardown at the end of a run deletes the app. And an app names its own expiry, by
//! which any later command finds what a lost operator has left.

mod api;
mod catalog;
mod checks;
mod inventory;
mod make;
mod naming;
mod patience;
mod plan;
mod provider;
mod release;
mod settings;
mod setup;
mod tags;
mod transfer;
mod turns;
mod user_data;
mod watch;

pub use provider::HerokuProvider;
pub use settings::Settings;
