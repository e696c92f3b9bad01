//! Figures and the ratios between them, printed as they come and once more at the end.

/// What was measured.
#[derive(Debug, Default)]
pub(crate) struct Report {
    ratios: Vec<String>,
}

impl Report {
    /// Prints a ratio and keeps it for the end.
    pub(crate) fn ratio(&mut self, what: &str, whole: f64, part: f64, aim: &str) {
        let line = format!("{what:<64} {:>12.2}   aim: {aim}", whole / part);
        println!("{line}");
        self.ratios.push(line);
    }

    /// Prints a figure with an aim and keeps it for the end.
    pub(crate) fn against(&mut self, what: &str, value: f64, unit: &str, aim: &str) {
        let line = format!("{what:<64} {value:>12.2} {unit}   aim: {aim}");
        println!("{line}");
        self.ratios.push(line);
    }

    /// Prints all ratios together.
    pub(crate) fn print(&self) {
        println!("\n== ratios and aims");
        for line in &self.ratios {
            println!("{line}");
        }
    }
}

/// The median of some figures.
pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Prints a figure.
pub(crate) fn figure(what: &str, value: f64, unit: &str) {
    let decimals = if value.abs() < 100.0 { 2 } else { 0 };
    println!("{what:<64} {value:>12.decimals$} {unit}");
}
