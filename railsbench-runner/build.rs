//! Builds the runner anew when a file is added to a suite that it carries: the macro that
//! embeds them notices only changes of files that it knows.

fn main() {
    println!("cargo::rerun-if-changed=workloads");
}
