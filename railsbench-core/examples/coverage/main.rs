//! Simulates campaigns whose truth is known and counts how often the analysis is right: the
//! tables in `docs/methodology.md`.
//!
//! ```text
//! cargo run --release -p railsbench-core --example coverage -- 10000
//! ```
//!
//! The number is how many campaigns are simulated for each cell (default 1000).

mod noise;
mod study;

use study::Question;

const TABLES: [(&str, Question); 5] = [
    ("intervals of one type that hold the truth, %", Question::OneType),
    ("intervals of a ratio that hold the truth, %", Question::Ratio),
    ("equal types called different, %", Question::FalseClaim),
    ("any of 10 equal types called different from an 11th, %", Question::AnyFalseClaim),
    ("10 % faster types called faster, %", Question::Found),
];
const MACHINES: [usize; 5] = [3, 5, 10, 15, 30];

fn main() {
    let rounds = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(1000);
    println!("{rounds} campaigns per cell; columns are machines of a type");
    for (title, question) in TABLES {
        // Eleven types take eleven times as long, and there the error is to one side only.
        let rounds = match question {
            Question::AnyFalseClaim => rounds / 5,
            _ => rounds,
        };
        let header: Vec<String> = MACHINES.iter().map(ToString::to_string).collect();
        println!("\n| {title} | {} |\n|---|{}", header.join(" | "), "---|".repeat(MACHINES.len()));
        for noise in &noise::ALL {
            let cells: Vec<String> = MACHINES
                .iter()
                .map(|&machines| format!("{:.1}", 100.0 * question.share(noise, machines, rounds)))
                .collect();
            println!("| {} | {} |", noise.name, cells.join(" | "));
        }
    }
}
