//! Stories told from outside: the real server, runner and command line as processes, and what
//! must be true of them together. One binary, because linking it is what takes time.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod support;

mod boot_script_completes_a_task;
#[cfg(feature = "docker")]
mod containers_run_tasks;
mod examples_do_what_they_say;
mod expired_upload_url_is_renewed;
#[cfg(feature = "clouds")]
mod four_clouds_run_one_configuration;
mod hostile_archive_is_refused;
mod interrupted_run_is_resumed;
mod killed_command_line_is_resumed;
mod killed_runner_loses_its_task_to_another;
mod killed_server_continues_the_run;
mod machines_fetch_their_runner;
mod minimal_client_needs_four_calls;
mod mock_run_by_command_line;
mod own_ca_is_all_that_is_trusted;
mod rails_run_by_command_line;
mod two_runners_race_for_one_task;
