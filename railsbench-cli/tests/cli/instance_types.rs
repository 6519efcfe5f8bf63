//! `instance-types` where only this host is: lists, look-ups and what is wrong with names. The
//! clouds' names are in `all_providers`.

use super::{Ran, json, run, run_in, run_with_input};

fn lines(ran: &Ran) -> Vec<serde_json::Value> {
    ran.stdout.lines().map(json).collect()
}

/// With what belongs to the host blotted out.
fn host(mut line: serde_json::Value) -> serde_json::Value {
    assert!(line["vcpus"].as_u64().unwrap() > 0, "{line}");
    assert!(line["memory_mib"].as_u64().unwrap() > 0, "{line}");
    for fact in ["arch", "vcpus", "memory_mib"] {
        line[fact] = format!("[{fact}]").into();
    }
    line
}

#[test]
fn a_list_has_a_line_for_each_type() {
    let ran = run(&["instance-types", "local", "--json"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    let listed = lines(&ran);
    assert_eq!(listed.len(), 1);
    insta::assert_json_snapshot!("instance_types_as_json", host(listed[0].clone()));
    // Looked up, it is the same line; of all providers, the line says which.
    assert_eq!(lines(&run(&["instance-types", "local", "host", "--json"])), listed);
    let mut all = lines(&run(&["instance-types", "--json"]));
    let of_host = all.iter_mut().find(|line| line["provider"] == "local").unwrap();
    of_host.as_object_mut().unwrap().remove("provider");
    assert_eq!(*of_host, listed[0]);
}

#[test]
fn a_table_is_for_people() {
    let arch = lines(&run(&["instance-types", "local", "--json"]))[0]["arch"].clone();
    let arch = arch.as_str().unwrap();
    let table = run(&["instance-types", "local", "--arch", arch]).stdout;
    assert!(table.contains("host") && table.contains(arch), "{table}");
    assert!(!table.contains("provider"), "all are of the one asked for: {table}");
    assert!(run(&["instance-types"]).stdout.contains("provider"));
    let other = if arch == "x86_64" { "arm64" } else { "amd64" };
    for nothing in [["--arch", other], ["--max-vcpus", "0"], ["--min-memory", "1000TiB"]] {
        let none = run(&[&["instance-types", "local"], &nothing[..]].concat());
        assert_eq!((none.code, none.stdout.as_str()), (0, "no instance type matches\n"));
        let none = run(&[&["instance-types", "local", "--json"], &nothing[..]].concat());
        assert_eq!((none.code, none.stdout.as_str()), (0, ""));
    }
}

#[test]
fn names_that_do_not_resolve_keep_no_other_from_being_shown() {
    let folder = tempfile::tempdir().unwrap();
    let names = b"\xef\xbb\xbfhost\r\n\n  hots \nho\xffst\nc7g.medium";
    let ran =
        run_with_input(folder.path(), &["instance-types", "local", "--json", "-", "host"], names);
    assert_eq!((ran.code, ran.stderr.as_str()), (2, ""));
    let mut told = lines(&ran);
    for place in [0, 4] {
        told[place] = host(told[place].clone());
    }
    insta::assert_json_snapshot!("instance_types_with_wrong_names", told);

    let ran = run_in(folder.path(), &["instance-types", "local", "host", "hots", "c7g.medium"]);
    assert_eq!(ran.code, 2);
    assert!(ran.stdout.contains("host ") && !ran.stdout.contains("hots"), "{}", ran.stdout);
    insta::assert_snapshot!("instance_types_wrong_names", ran.stderr);
    let ran = run_in(folder.path(), &["instance-types", "local", "hots"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
}

#[test]
fn a_sorted_look_up_ends_with_what_does_not_resolve() {
    let ran = run(&["instance-types", "local", "hots", "host", "--json", "--sort", "price"]);
    assert_eq!(ran.code, 2);
    let told = lines(&ran);
    assert_eq!(
        (&told[0]["instance_type"], &told[1]["instance_type"]),
        (&"host".into(), &"hots".into())
    );
}

#[test]
fn a_line_without_end_is_not_read_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["instance-types", "local", "--json", "-"];
    let ran = run_with_input(folder.path(), &arguments, &vec![b'x'; 5000]);
    assert_eq!(ran.code, 2);
    let told = json(ran.stdout.lines().last().unwrap());
    assert!(told["detail"].as_str().unwrap().contains("one name a line"), "{told}");
    let nothing = run_with_input(folder.path(), &arguments, b"");
    assert_eq!((nothing.code, nothing.stdout.as_str()), (0, ""));
}

#[test]
fn wrong_limits_are_told_with_what_to_write() {
    let cases: [(&str, [&str; 2]); 5] = [
        ("memory", ["--min-memory", "4 KiB"]),
        ("price", ["--max-price", "cheap"]),
        ("vcpus", ["--max-vcpus", "many"]),
        ("sort", ["--sort", "prize"]),
        ("architecture", ["--arch", "sparc"]),
    ];
    for (name, arguments) in cases {
        let ran = run(&[&["instance-types", "local"], &arguments[..]].concat());
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{name}");
        insta::assert_snapshot!(format!("instance_types_bad_{name}"), ran.stderr);
    }
}
