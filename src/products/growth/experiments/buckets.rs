//! Who sees which variant: a visitor has a bucket of 0 to 99 in every experiment, and
//! every bucket belongs to a variant. Weights that change move just as many buckets as
//! they differ by, so that nobody else sees another variant than before.

use crate::api::apex::growth::v1 as pb;

/// How many buckets there are.
pub(super) const BUCKETS: usize = 100;

/// The variant every bucket belongs to, by its place in the list.
pub(super) type Owners = [usize; BUCKETS];

/// The bucket of a visitor in something.
pub(super) fn bucket(parts: &[&str]) -> u32 {
    murmur3(parts.concat().as_bytes()) % BUCKETS as u32
}

/// MurmurHash3, x86, 32 bits, with the seed 0 (Austin Appleby, public domain).
pub(super) fn murmur3(bytes: &[u8]) -> u32 {
    const C1: u32 = 0xcc9e_2d51;
    const C2: u32 = 0x1b87_3593;
    let mix = |block: u32| block.wrapping_mul(C1).rotate_left(15).wrapping_mul(C2);
    let (blocks, tail) = bytes.as_chunks::<4>();
    let mut hash = blocks.iter().fold(0_u32, |hash, block| {
        let hash = (hash ^ mix(u32::from_le_bytes(*block))).rotate_left(13);
        hash.wrapping_mul(5).wrapping_add(0xe654_6b64)
    });
    let rest = tail
        .iter()
        .rev()
        .fold(0, |rest, byte| rest << 8 | u32::from(*byte));
    hash ^= mix(rest) ^ bytes.len() as u32;
    hash = (hash ^ hash >> 16).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ hash >> 13).wrapping_mul(0xc2b2_ae35);
    hash ^ hash >> 16
}

/// Buckets by weights, in the order of the variants: a bucket belongs to the first
/// variant up to which the shares add up to more than it.
pub(super) fn by_weights(weights: &[f64]) -> Owners {
    let all: f64 = weights.iter().sum();
    let mut ends = Vec::with_capacity(weights.len());
    let mut sum = 0.0;
    for weight in weights {
        sum += weight;
        // Sums of fractions are off by very little: 0.1 + 0.2 is not more than 0.3.
        ends.push((sum / all * BUCKETS as f64 - 1e-9).ceil() as usize);
    }
    let last = weights.iter().rposition(|weight| *weight > 0.0);
    std::array::from_fn(|bucket| {
        let owner = ends.iter().position(|end| bucket < *end);
        owner.or(last).unwrap_or_default()
    })
}

/// Buckets by other weights than before. A variant whose share grows gets buckets of
/// those whose shares shrink, which give up their last ones; no other is moved.
pub(super) fn by_other_weights(before: &Owners, weights: &[f64]) -> Owners {
    let plain = by_weights(weights);
    let count = |owners: &Owners, variant| owners.iter().filter(|own| **own == variant).count();
    let wanted: Vec<usize> = (0..weights.len()).map(|own| count(&plain, own)).collect();
    let have: Vec<usize> = (0..weights.len()).map(|own| count(before, own)).collect();
    let needed: usize = wanted
        .iter()
        .zip(&have)
        .map(|(w, h)| w.saturating_sub(*h))
        .sum();
    let moved = plain
        .iter()
        .zip(before)
        .filter(|(new, old)| new != old)
        .count();
    if moved == needed {
        return plain;
    }
    let mut owners = *before;
    let mut surplus: Vec<usize> = wanted
        .iter()
        .zip(&have)
        .map(|(w, h)| h.saturating_sub(*w))
        .collect();
    let mut free = Vec::new();
    for bucket in (0..BUCKETS).rev() {
        let given = match surplus.get_mut(before[bucket]) {
            Some(0) => false,
            Some(left) => {
                *left -= 1;
                true
            }
            // Of a variant that is gone.
            None => true,
        };
        if given {
            free.push(bucket);
        }
    }
    for (variant, (wanted, have)) in wanted.iter().zip(&have).enumerate() {
        for _ in *have..*wanted {
            if let Some(bucket) = free.pop() {
                owners[bucket] = variant;
            }
        }
    }
    owners
}

/// Which variant owns which bucket, as variants tell it.
pub(super) fn owners(variants: &[pb::Variant]) -> Owners {
    let mut owners = [0; BUCKETS];
    for (variant, own) in variants.iter().enumerate() {
        for range in &own.buckets {
            let end = (range.to as usize).min(BUCKETS);
            for owner in owners.iter_mut().take(end).skip(range.from as usize) {
                *owner = variant;
            }
        }
    }
    owners
}

/// Tells variants which buckets they own.
pub(super) fn tell(variants: &mut [pb::Variant], owners: &Owners) {
    for (variant, own) in variants.iter_mut().enumerate() {
        own.buckets.clear();
        for (bucket, _) in owners
            .iter()
            .enumerate()
            .filter(|(_, owner)| **owner == variant)
        {
            let bucket = bucket as u32;
            match own.buckets.last_mut() {
                Some(last) if last.to == bucket => last.to += 1,
                Some(_) | None => own.buckets.push(pb::BucketRange {
                    from: bucket,
                    to: bucket + 1,
                }),
            }
        }
    }
}

/// The weights of variants.
pub(super) fn weights(variants: &[pb::Variant]) -> Vec<f64> {
    let weights = variants.iter().map(|variant| variant.weight.unwrap_or(1.0));
    weights.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moved(before: &Owners, after: &Owners) -> usize {
        before.iter().zip(after).filter(|(b, a)| b != a).count()
    }

    fn shares(owners: &Owners, variants: usize) -> Vec<usize> {
        let count = |own| owners.iter().filter(|owner| **owner == own).count();
        (0..variants).map(count).collect()
    }

    #[test]
    fn even_shares_are_as_documented() {
        let two = by_weights(&[1.0, 1.0]);
        assert!((0..BUCKETS).all(|bucket| two[bucket] == usize::from(bucket >= 50)));
        assert_eq!(shares(&by_weights(&[1.0, 1.0, 1.0]), 3), [34, 33, 33]);
        assert_eq!(shares(&by_weights(&[0.1, 0.2, 0.7]), 3), [10, 20, 70]);
        assert_eq!(shares(&by_weights(&[50.0, 25.0, 25.0]), 3), [50, 25, 25]);
        assert_eq!(shares(&by_weights(&[0.0, 1.0, 0.0]), 3), [0, 100, 0]);
    }

    #[test]
    fn two_variants_share_by_one_boundary_whatever_came_before() {
        let mut owners = by_weights(&[1.0, 1.0]);
        for share in [80.0, 20.0, 33.0, 100.0, 0.0, 50.0] {
            let weights = [share, 100.0 - share];
            let next = by_other_weights(&owners, &weights);
            assert_eq!(next, by_weights(&weights));
            owners = next;
        }
    }

    #[test]
    fn no_bucket_moves_without_need() {
        let lists: [&[f64]; 7] = [
            &[1.0, 1.0, 1.0],
            &[50.0, 25.0, 25.0],
            &[10.0, 80.0, 10.0],
            &[1.0, 1.0, 1.0, 1.0],
            &[5.0, 5.0, 85.0, 5.0],
            &[1.0, 1.0],
            &[20.0, 30.0, 50.0],
        ];
        let mut owners = by_weights(lists[0]);
        for weights in lists.into_iter().cycle().take(40) {
            let (was, wanted) = (shares(&owners, 4), shares(&by_weights(weights), 4));
            let least: usize = wanted
                .iter()
                .zip(&was)
                .map(|(w, h)| w.saturating_sub(*h))
                .sum();
            let next = by_other_weights(&owners, weights);
            assert_eq!(shares(&next, 4), wanted);
            assert_eq!(moved(&owners, &next), least);
            owners = next;
        }
    }

    #[test]
    fn what_is_told_is_what_is_read() {
        let mut variants = vec![pb::Variant::default(); 3];
        let owners_of = by_other_weights(&by_weights(&[1.0, 1.0, 1.0]), &[10.0, 80.0, 10.0]);
        tell(&mut variants, &owners_of);
        assert_eq!(owners(&variants), owners_of);
    }
}
