//! Several variations are several chances of a false alarm: p-values adjusted for
//! how many there are.

/// Holm's step-down method: bounds the chance of even one false alarm.
pub fn holm(values: &[f64]) -> Vec<f64> {
    let count = values.len();
    let mut adjusted = vec![0.0; count];
    let mut highest = 0.0_f64;
    for (rank, index) in ranked(values).into_iter().enumerate() {
        highest = highest.max((count - rank) as f64 * values[index]);
        adjusted[index] = highest.min(1.0);
    }
    adjusted
}

/// The step-up method of Benjamini and Hochberg: bounds the share of false alarms.
pub fn benjamini_hochberg(values: &[f64]) -> Vec<f64> {
    let count = values.len();
    let mut adjusted = vec![0.0; count];
    let mut lowest = 1.0_f64;
    for (rank, index) in ranked(values).into_iter().enumerate().rev() {
        lowest = lowest.min(values[index] * count as f64 / (rank + 1) as f64);
        adjusted[index] = lowest;
    }
    adjusted
}

/// Indices, from the smallest value to the largest.
fn ranked(values: &[f64]) -> Vec<usize> {
    let mut order: Vec<_> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    order
}
