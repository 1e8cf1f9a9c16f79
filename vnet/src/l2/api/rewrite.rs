//! VLAN tag rewrites as messages have them: a number for what is done, and up to two tags.

use crate::{command::ApiError, interface::TagType, l2::TagRewrite};

/// Tags that are taken away and put on, by the number of the operation less one.
const OPERATIONS: [(u8, usize); 8] =
    [(0, 1), (0, 2), (1, 0), (2, 0), (1, 1), (1, 2), (2, 1), (2, 2)];

/// The operation, whether the outer one of the tags that are put on is an 802.1Q tag, and those; all 0 where nothing is done.
pub(crate) fn operation_of(rewrite: Option<TagRewrite>) -> [u32; 4] {
    let Some(TagRewrite { pop, push_type, push }) = rewrite else { return [0; 4] };
    let form = (pop, push.iter().flatten().count());
    let operation = OPERATIONS.iter().position(|known| *known == form).map_or(0, |at| at + 1);
    let is_dot1q = form.1 > 0 && push_type == TagType::Dot1q;
    let [first, second] = push.map(|tag| u32::from(tag.unwrap_or(0)));
    [operation as u32, is_dot1q.into(), first, second]
}

/// What such numbers ask for.
pub(super) fn rewrite_of(
    [operation, is_dot1q, first, second]: [u32; 4],
) -> Result<Option<TagRewrite>, ApiError> {
    if operation == 0 {
        return Ok(None);
    }
    let form = OPERATIONS.get(operation as usize - 1);
    let (pop, count) = *form.ok_or(ApiError::InvalidValue)?;
    let mut push = [None; 2];
    for (place, tag) in push.iter_mut().zip([first, second]).take(count) {
        let tag = u16::try_from(tag).ok().filter(|tag| *tag < 4096);
        *place = Some(tag.ok_or(ApiError::InvalidVlan)?);
    }
    let push_type = if is_dot1q == 0 { TagType::Dot1ad } else { TagType::Dot1q };
    Ok(Some(TagRewrite { pop, push_type, push }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rewrite_is_the_same_there_and_back() {
        for operation in 1..=8 {
            for is_dot1q in [0, 1] {
                let (_, count) = OPERATIONS[operation as usize - 1];
                let tag = |n: usize, tag| if n < count { tag } else { 0 };
                let numbers =
                    [operation, if count == 0 { 0 } else { is_dot1q }, tag(0, 7), tag(1, 4095)];
                assert_eq!(operation_of(rewrite_of(numbers).unwrap()), numbers);
            }
        }
        assert_eq!(rewrite_of([0, 1, 2, 3]), Ok(None));
        assert_eq!(rewrite_of([9, 0, 0, 0]), Err(ApiError::InvalidValue));
        assert_eq!(rewrite_of([1, 0, 4096, 0]), Err(ApiError::InvalidVlan));
    }
}
