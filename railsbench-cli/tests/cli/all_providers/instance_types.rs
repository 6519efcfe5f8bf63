//! Instance types of the clouds: neither credentials nor a network are there.

use proptest::prelude::*;
use serde_json::Value;
use std::fmt::Write as _;

use super::super::{Ran, json};
use super::Operator;

/// Each cloud and its table of known types.
const CATALOGS: [(&str, &str); 4] = [
    ("aws", include_str!("../../../../railsbench-providers/src/aws/catalog.csv")),
    ("azure", include_str!("../../../../railsbench-providers/src/azure/catalog.csv")),
    ("gcp", include_str!("../../../../railsbench-providers/src/gcp/catalog.csv")),
    ("heroku", include_str!("../../../../railsbench-providers/src/heroku/catalog.csv")),
];

fn lines(ran: &Ran) -> Vec<Value> {
    ran.stdout.lines().map(json).collect()
}

fn listed(arguments: &[&str]) -> Vec<Value> {
    let ran = Operator::new().run(&[&["instance-types", "--json"], arguments].concat(), b"");
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{arguments:?}");
    lines(&ran)
}

/// The rows of a table, taken apart.
fn rows(csv: &str) -> Vec<Vec<&str>> {
    let rows = csv.lines().filter(|line| !line.starts_with('#')).skip(1);
    rows.map(|line| line.split(',').collect()).collect()
}

#[test]
fn every_row_of_every_catalog_resolves_as_it_is_written() {
    for (cloud, csv) in CATALOGS {
        let rows = rows(csv);
        let names = rows.iter().map(|row| row[0]).collect::<Vec<_>>().join("\n");
        let arguments = ["instance-types", cloud, "--json", "-"];
        let ran = Operator::new().run(&arguments, names.as_bytes());
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{cloud}");
        let told = lines(&ran);
        assert_eq!(told.len(), rows.len(), "{cloud}");
        for (row, told) in rows.iter().zip(&told) {
            let arch = if ["arm64", "aarch64"].contains(&row[1]) { "aarch64" } else { "x86_64" };
            assert_eq!(told["instance_type"], row[0]);
            assert_eq!(told["arch"], arch, "{told}");
            assert_eq!(told["vcpus"].as_u64(), row[2].parse().ok(), "{told}");
            assert_eq!(told["memory_mib"].as_u64(), row[3].parse().ok(), "{told}");
            let price: Option<f64> = row[5].parse().ok();
            let same = match (told["usd_per_hour"].as_f64(), price) {
                (Some(told), Some(price)) => (told - price).abs() < 1e-6,
                (told, price) => told == price,
            };
            assert!(same, "{told} {row:?}");
            assert_eq!(told["source"], "catalog", "{told}");
            assert_eq!(told.as_object().unwrap().len(), 6, "{told}");
        }
    }
}

#[test]
fn a_list_has_the_lines_of_the_look_ups() {
    for (cloud, csv) in CATALOGS {
        let list = listed(&[cloud]);
        assert!(list.len() > 30 && list.len() <= rows(csv).len(), "{cloud}: {}", list.len());
        let names: Vec<&str> =
            list.iter().map(|line| line["instance_type"].as_str().unwrap()).collect();
        let ran = Operator::new()
            .run(&["instance-types", cloud, "--json", "-"], names.join("\n").as_bytes());
        assert_eq!(lines(&ran), list, "{cloud}");
    }
    let providers: Vec<Value> = listed(&[]).iter().map(|line| line["provider"].clone()).collect();
    for (cloud, _) in CATALOGS {
        assert!(providers.contains(&cloud.into()), "{cloud}");
    }
}

#[test]
fn limits_hold_and_orders_are_kept() {
    let number = |line: &Value, key: &str| line[key].as_f64().unwrap_or(f64::INFINITY);
    let sorted = |list: &[Value], key| list.is_sorted_by_key(|line| number(line, key));
    let types = listed(&["aws", "--arch", "arm64", "--max-vcpus", "4", "--sort", "price"]);
    assert!(types.len() > 20, "{}", types.len());
    assert!(types.iter().all(|line| line["arch"] == "aarch64" && number(line, "vcpus") <= 4.0));
    assert!(sorted(&types, "usd_per_hour"));
    let all = listed(&["aws", "--sort", "price"]);
    assert!(sorted(&all, "usd_per_hour"));
    assert!(all.last().unwrap()["usd_per_hour"].is_null(), "those without a price come last");

    let limits = ["--min-vcpus", "2", "--min-memory", "4GiB", "--max-memory", "8", "--max-price"];
    for (cloud, _) in CATALOGS {
        let types = listed(&[&[cloud], &limits[..], &["0.25", "--sort", "memory"]].concat());
        assert!(!types.is_empty() && sorted(&types, "memory_mib"), "{cloud}");
        for line in types {
            let memory = number(&line, "memory_mib");
            assert!((4096.0..=8192.0).contains(&memory), "{line}");
            assert!(number(&line, "vcpus") >= 2.0 && number(&line, "usd_per_hour") <= 0.25);
        }
    }
    assert!(sorted(&listed(&["gcp", "--sort", "vcpus"]), "vcpus"));
    let names = listed(&["heroku", "--sort", "name"]);
    assert!(names.is_sorted_by_key(|line| line["instance_type"].to_string()));
}

/// Good and bad names of every cloud, some that only the grammar knows, in its own conventions.
#[test]
fn names_are_read_as_each_cloud_writes_them() {
    let cases: [(&str, &[&str]); 4] = [
        (
            "aws",
            &[
                "c7g.medium",
                "m5.large",
                "g5.xlarge",
                "a1.metal",
                "c9g.medium",
                "c9i.8xlarge",
                "mac2.metal",
                "c7g.medum",
                "C7G.MEDIUM",
                "c7g",
                "t2.xlarg",
                "m5",
                "m5.",
                "no",
            ],
        ),
        (
            "azure",
            &[
                "Standard_D2ps_v5",
                "standard_d2PS_v5",
                "Standard_E32-16s_v5",
                "Standard_DS3_v2",
                "Standard_NP10s",
                "Standard_D2ps_v9",
                "D2ps_v5",
                "Standard_D2ps",
                "Standard_Z9",
                "Standard_DS30_v2",
                "",
            ],
        ),
        (
            "gcp",
            &[
                "e2-micro",
                "t2a-standard-4",
                "n2-custom-4-8192",
                "c9a-standard-8",
                "n2-custom-4-8000",
                "e2-mirco",
                "N2-standard-4",
                "q1-standard-4",
                "custom",
            ],
        ),
        (
            "heroku",
            &[
                "standard-1x",
                "Standard-2X",
                "performance-2xl",
                "dyno-1c-0.5gb",
                "dyno-3c-7gb",
                "standard-3x",
                "1x",
                "dyno-0c-1gb",
            ],
        ),
    ];
    let mut told = String::new();
    for (cloud, names) in cases {
        let arguments = [&["instance-types", cloud], names].concat();
        let ran = Operator::new().run(&arguments, b"");
        assert_eq!(ran.code, 2, "{cloud}");
        writeln!(told, "# {cloud}\n{}\n{}", ran.stdout, ran.stderr).expect("a string takes all");
        let ran = Operator::new().run(&[&arguments[..], &["--json"]].concat(), b"");
        assert_eq!((ran.code, ran.stderr.as_str()), (2, ""), "{cloud}");
        writeln!(told, "{}", ran.stdout).expect("a string takes all");
    }
    insta::assert_snapshot!("names_of_every_cloud", told);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever is on standard input: a line of JSON for each name, and exit code 0 or 2.
    #[test]
    fn no_input_panics(
        cloud in prop::sample::select(vec!["aws", "azure", "gcp", "heroku", "local"]),
        names in prop::collection::vec(
            prop_oneof![
                prop::collection::vec(any::<u8>(), 0..40),
                "[a-z]{0,4}[0-9]{0,12}[a-z]{0,3}[.-][0-9]{0,12}[a-z]{0,8}".prop_map(String::into_bytes),
                "Standard_[A-Z]{0,2}[0-9]{0,12}(-[0-9]{0,12})?[a-z]{0,4}(_[a-zA-Z0-9]{0,8}){0,2}"
                    .prop_map(String::into_bytes),
                "([a-z][0-9]?[a-z]?-)?custom-[0-9]{0,22}-[0-9]{0,22}(-ext)?"
                    .prop_map(String::into_bytes),
                "dyno-[0-9]{0,22}c-[0-9]{0,22}(\\.[0-9])?gb".prop_map(String::into_bytes),
                "[0-9]{0,22}c[0-9]{0,22}g".prop_map(String::into_bytes),
            ],
            0..40,
        ),
    ) {
        let input = names.join(&b'\n');
        let ran = Operator::new().run(&["instance-types", cloud, "--json", "-"], &input);
        prop_assert!([0, 2].contains(&ran.code), "{} {}", ran.code, ran.stderr);
        prop_assert_eq!(&ran.stderr, "");
        let text = String::from_utf8_lossy(&input);
        let is_name = |line: &str| !line.trim_start_matches('\u{feff}').trim().is_empty();
        let asked = text.split('\n').filter(|line| is_name(line)).count();
        let told = lines(&ran);
        prop_assert_eq!(told.len(), asked);
        let failed = told.iter().any(|line| line["error"].is_string());
        prop_assert_eq!(ran.code == 2, failed);
    }
}
