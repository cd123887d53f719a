//! Reading the flows of a selection, with the narrowest question that this kernel understands.

use ctnetlink::client::{ClientError, DumpOutcome};
use ctnetlink::wire::RawMessage;
use ctnetlink::{DumpFilter, Request};

use super::KernelClient;
use crate::select::{Questions, Selection};

/// What a kernel answers that does not know a condition, or not in this combination.
const EINVAL: i32 = 22;
const EOPNOTSUPP: i32 = 95;

/// Hands each flow of the table that may be of the selection to `each`, in the receive buffer. `each` has to check it.
pub(super) fn walk<E: From<ClientError>>(
    client: &mut KernelClient,
    selection: &Selection,
    mut each: impl FnMut(&RawMessage<'_>) -> Result<(), E>,
) -> Result<DumpOutcome, E> {
    let Questions { narrow, plain } = selection.questions();
    if narrow == [plain] {
        return ask_widely(client, &plain, &mut each);
    }
    let mut outcome = DumpOutcome::Complete;
    let mut is_first = true;
    for filter in &narrow {
        let answered = match ask(client, filter, &mut each)? {
            Some(answered) => answered,
            // The first refusal is one of all: with a wider question the whole table comes at once.
            None if is_first => return ask_widely(client, &plain, &mut each),
            None => {
                let wide = DumpFilter { family: filter.family, ..plain };
                ask_widely(client, &wide, &mut each)?
            }
        };
        if answered == DumpOutcome::Interrupted {
            outcome = answered;
        }
        is_first = false;
    }
    Ok(outcome)
}

/// The question of upstream, and if that is refused as well, the one that every kernel understands.
fn ask_widely<E: From<ClientError>>(
    client: &mut KernelClient,
    plain: &DumpFilter,
    each: &mut impl FnMut(&RawMessage<'_>) -> Result<(), E>,
) -> Result<DumpOutcome, E> {
    let widest = DumpFilter { family: plain.family, ..DumpFilter::default() };
    if *plain != widest
        && let Some(outcome) = ask(client, plain, each)?
    {
        return Ok(outcome);
    }
    client.dump(&Request::DumpFlows { filter: &widest, zero: false }, each)
}

/// `None` if the kernel refuses the question. A refusal comes before any flow.
fn ask<E: From<ClientError>>(
    client: &mut KernelClient,
    filter: &DumpFilter,
    each: &mut impl FnMut(&RawMessage<'_>) -> Result<(), E>,
) -> Result<Option<DumpOutcome>, E> {
    let mut has_begun = false;
    let dumped = client.dump(&Request::DumpFlows { filter, zero: false }, |message| {
        has_begun = true;
        each(message).map_err(Ended::Each)
    });
    match dumped {
        Ok(outcome) => Ok(Some(outcome)),
        Err(Ended::Request(error)) if !has_begun && is_not_understood(&error) => Ok(None),
        Err(Ended::Request(error)) => Err(error.into()),
        Err(Ended::Each(error)) => Err(error),
    }
}

/// Who ended a dump.
enum Ended<E> {
    Request(ClientError),
    Each(E),
}

impl<E> From<ClientError> for Ended<E> {
    fn from(error: ClientError) -> Self {
        Self::Request(error)
    }
}

fn is_not_understood(error: &ClientError) -> bool {
    error.kernel().is_some_and(|refusal| matches!(refusal.errno, EINVAL | EOPNOTSUPP))
}
