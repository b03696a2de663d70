//! What was probably meant by a name that is not known.

/// One letter in so many may be another.
const EDITED: usize = 4;

/// The known name that takes the fewest edits, if those are few. Pure.
pub fn nearest<'a>(text: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let (edits, known) = known
        .map(|known| (strsim::levenshtein(known, text), known))
        .min_by_key(|(edits, _)| *edits)?;
    (edits * EDITED <= text.len()).then_some(known)
}
