//! The report from a results folder to its files.

mod fixture;

use railsbench_core::analysis::{Spread, Verdict};
use railsbench_core::money::Usd;
use railsbench_core::provider::Price;
use railsbench_core::results::{METADATA_JSON, OUTPUT_JSON};

use super::*;
use fixture::{Fixture, Type, all_benchmarks};

const HOST: Type<'_> = Type { provider: "local", name: "host", tasks: 1, slowness: 1.0 };
const SMALL: Type<'_> = Type { provider: "aws", name: "c7g.medium", tasks: 3, slowness: 1.0 };
const LARGE: Type<'_> = Type { provider: "aws", name: "c8g.large", tasks: 3, slowness: 0.7 };

fn fixture<'a>(types: &'a [Type<'a>], benchmarks: &'a [&'a str]) -> Fixture<'a> {
    Fixture { types, times: 60, benchmarks, quick: false }
}

fn price(dollars: f64) -> Price {
    Price {
        per_hour: Usd::from_dollars(dollars).unwrap(),
        as_of: jiff::civil::date(2026, 1, 1),
        source: "price list".to_owned(),
    }
}

#[test]
fn report_json_keeps_its_shape() {
    let folder = tempfile::tempdir().unwrap();
    let benchmarks = ["rails_request_json", "puma_http"];
    fixture(&[SMALL, LARGE], &benchmarks).write(folder.path(), &["c8g.large-2"]);
    let mut inputs = Inputs::load(folder.path()).unwrap();
    inputs.prices.insert("c7g.medium".to_owned(), price(0.0361));
    let report = Report::build(&inputs).unwrap();
    // Six digits are plenty to see a change, and do not depend on a processor's last bit.
    let mut json = serde_json::to_value(&report).unwrap();
    round(&mut json);
    insta::assert_json_snapshot!(json);
}

/// Rounds every number with a fraction to six significant digits.
fn round(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Number(number) if number.is_f64() => {
            let text = format!("{:.5e}", number.as_f64().unwrap());
            *value = text.parse::<f64>().unwrap().into();
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(round),
        serde_json::Value::Object(fields) => fields.values_mut().for_each(round),
        _ => {}
    }
}

#[test]
fn a_faster_type_is_called_faster_in_words_and_figures() {
    let folder = tempfile::tempdir().unwrap();
    fixture(&[SMALL, LARGE], &all_benchmarks()).write(folder.path(), &[]);
    let report = Report::build(&Inputs::load(folder.path()).unwrap()).unwrap();
    assert!(report.headline[0].starts_with("With YJIT: c8g.large is 4"), "{:?}", report.headline);
    let disturbed = "Conditions may have spoilt the figures of 2 of 6 tasks: see what is odd.";
    assert!(report.headline.iter().any(|sentence| sentence == disturbed), "{:?}", report.headline);
    assert_eq!(report.comparisons.len(), 2);
    assert!(report.comparisons.iter().all(|one| one.comparison.overall.verdict == Verdict::Faster));
    let mean = &report.labels[0].analysis.geometric_means[0];
    assert_eq!(mean.time.spread, Spread::AcrossMachines { instances: 3 });
    assert_eq!(mean.benchmarks, all_benchmarks());
}

#[test]
fn one_host_gets_no_verdict_on_types() {
    let folder = tempfile::tempdir().unwrap();
    let twice = [HOST, Type { name: "other", slowness: 2.0, ..HOST }];
    fixture(&twice, &["boot"]).write(folder.path(), &[]);
    let report = Report::build(&Inputs::load(folder.path()).unwrap()).unwrap();
    assert!(
        report.headline[0].contains("can't tell which type is faster"),
        "{:?}",
        report.headline
    );
    let machines: Vec<&str> = report.tasks.iter().map(|task| task.counted_as.as_str()).collect();
    assert_eq!(machines, ["local", "local"]);
}

#[test]
fn value_is_price_times_time() {
    let folder = tempfile::tempdir().unwrap();
    fixture(&[HOST], &["puma_http"]).write(folder.path(), &[]);
    let mut inputs = Inputs::load(folder.path()).unwrap();
    assert_eq!(Report::build(&inputs).unwrap().labels[0].values[0].cost_per_million_requests, None);
    inputs.prices.insert("host".to_owned(), price(3.6));
    let label = &Report::build(&inputs).unwrap().labels[0];
    let value = &label.values[0];
    // At $3.60 an hour a second costs a tenth of a cent, so a million seconds $1000.
    let rate = value.requests_per_second.unwrap();
    let expected = Usd::from_dollars(1000.0 / rate).unwrap();
    assert_eq!(value.cost_per_million_requests, Some(expected));
    let mean = &label.analysis.geometric_means[0].time;
    let cost = value.cost_per_million_iterations.unwrap();
    assert_eq!(cost.likely, Usd::from_dollars(1000.0 * mean.value).unwrap());
    assert!(cost.low.unwrap() < cost.likely && cost.likely < cost.high.unwrap());
}

#[test]
fn the_page_shows_all_and_loads_nothing() {
    let folder = tempfile::tempdir().unwrap();
    fixture(&[HOST], &all_benchmarks()).write(folder.path(), &[]);
    let report = Report::build(&Inputs::load(folder.path()).unwrap()).unwrap();
    let files = write(&report, folder.path()).unwrap();
    let page = std::fs::read_to_string(&files.html).unwrap();
    for benchmark in all_benchmarks() {
        assert!(page.contains(&format!("<h3>{benchmark}</h3>")), "{benchmark}");
    }
    for outside in [
        "http:",
        "https:",
        "<script",
        "<link rel=\"stylesheet",
        "src=",
        "@import",
        "url(",
        "onload",
    ] {
        assert!(!page.contains(outside), "{outside}");
    }
    for part in [
        "default-src 'none'",
        "geometric mean",
        "AMD EPYC 7R13",
        "+YJIT",
        "railsbench run config.json",
        "NaN",
    ] {
        assert_eq!(page.contains(part), part != "NaN", "{part}");
    }
    // One distribution per benchmark, one time series per variant of it, and the speed-up.
    assert_eq!(page.matches("<svg").count(), 11 + 22 + 1);
    let json: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&files.json).unwrap()).unwrap();
    assert_eq!(json["format"], 1);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 4, "no temporary file is left");
}

#[test]
fn hostile_words_are_text_on_the_page() {
    const HOSTILE: &str = "</pre><script>alert('1')</script>\"&";
    let folder = tempfile::tempdir().unwrap();
    fixture(&[SMALL, LARGE], &["boot"]).write(folder.path(), &["c8g.large-2"]);
    let mut inputs = Inputs::load(folder.path()).unwrap();
    for task in &mut inputs.tasks {
        task.label = format!("{}{HOSTILE}", task.label);
        task.metadata.cpu_model = Some(HOSTILE.to_owned());
        task.metadata.noise = vec![HOSTILE.to_owned()];
        for benchmarks in task.output.raw_data.values_mut() {
            let samples = benchmarks.remove("boot").unwrap();
            benchmarks.insert(HOSTILE.to_owned(), samples);
        }
    }
    inputs.run.config["note"] = HOSTILE.into();
    let report = Report::build(&inputs).unwrap();
    let page = html::render(&report).unwrap();
    assert!(!page.contains("<script"), "an element got through");
    assert!(!page.contains(HOSTILE));
    assert!(page.matches("&lt;script&gt;").count() > 10);
    assert!(page.contains("&lt;LoadError&gt; &amp; co"), "the failed task and its reason");
}

#[test]
fn thousands_of_times_give_a_page_of_bounded_size() {
    let folder = tempfile::tempdir().unwrap();
    let benchmarks = all_benchmarks();
    let one = Fixture { times: 5000, ..fixture(&[HOST], &benchmarks) };
    one.write(folder.path(), &[]);
    let report = Report::build(&Inputs::load(folder.path()).unwrap()).unwrap();
    let page = html::render(&report).unwrap();
    assert!(page.len() < 2_000_000, "{} bytes", page.len());
    assert!(page.contains("Long series are thinned"));
    assert!(page.contains("no steady state"), "the late change is named");
}

#[test]
fn damaged_and_missing_tasks_are_failures_and_do_not_spoil_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    fixture(&[SMALL], &["boot"]).write(folder.path(), &[]);
    let output = folder.path().join("c7g.medium-1").join(OUTPUT_JSON);
    std::fs::write(&output, std::fs::read_to_string(&output).unwrap().replacen("0.0", "0.1", 1))
        .unwrap();
    std::fs::remove_file(folder.path().join("c7g.medium-2").join(METADATA_JSON)).unwrap();
    let inputs = Inputs::load(folder.path()).unwrap();
    let report = Report::build(&inputs).unwrap();
    let reasons: Vec<&str> = report.failures.iter().map(|one| one.reason.as_str()).collect();
    assert_eq!(reasons.len(), 2);
    assert!(
        reasons[0].contains("SHA-256") && reasons[1].contains("metadata.json: "),
        "{reasons:?}"
    );
    assert_eq!(report.labels[0].analysis.tasks, 1);
    assert_eq!(report.headline.last().unwrap(), "2 tasks gave no figures.");
}

#[test]
fn without_figures_there_is_no_report_but_the_reasons() {
    let folder = tempfile::tempdir().unwrap();
    fixture(&[HOST], &["boot"]).write(folder.path(), &["host-1"]);
    let error = Report::build(&Inputs::load(folder.path()).unwrap()).unwrap_err().to_string();
    assert!(
        error.starts_with("run 1732470000 has no figures: host-1 failed: the workload"),
        "{error}"
    );
    let missing = Inputs::load(&folder.path().join("nowhere")).unwrap_err().to_string();
    assert!(missing.contains("run.json cannot be read"), "{missing}");
    std::fs::write(folder.path().join(RUN_JSON), "{}").unwrap();
    let broken = Inputs::load(folder.path()).unwrap_err().to_string();
    assert!(broken.contains("is not the record of a run"), "{broken}");
}

#[test]
fn the_terminal_gets_every_benchmark_and_the_means() {
    let folder = tempfile::tempdir().unwrap();
    fixture(&[HOST], &["rails_write", "boot"]).write(folder.path(), &[]);
    let rows = summary_rows(&Report::build(&Inputs::load(folder.path()).unwrap()).unwrap());
    let names: Vec<(&str, &str)> =
        rows.iter().map(|row| (row.variant.as_str(), row.benchmark.as_str())).collect();
    let expected = ["rails_write", "boot", "geometric mean"];
    let expected: Vec<(&str, &str)> = ["interp", "yjit"]
        .iter()
        .flat_map(|variant| expected.map(|name| (*variant, name)))
        .collect();
    assert_eq!(names, expected);
    assert!(rows[0].median.ends_with(" ms") && rows[0].interval.contains('–'), "{rows:?}");
    assert_eq!(rows[0].covers, "this process on this machine only");
    assert_eq!(rows[0].times, "60");
    assert!(rows[3].speed_up.ends_with('×') && rows[0].speed_up.is_empty());
    assert!(rows[5].is_mean && !rows[4].is_mean);
}
