//! Reading the flows of a selection, with the narrowest question that this kernel understands.

use ctnetlink::client::{ClientError, DumpOutcome};
use ctnetlink::{DecodeError, DumpFilter, ExchangeError, FlowView, Request, TableStatistics};

use super::KernelClient;
use crate::select::{Questions, Selection};

const ENOENT: i32 = 2;
/// A table of fewer flows is a small one. With the usual 262144 buckets a look through all of them takes as long as 4000
/// flows that are received and passed over, with a quarter of them 1000.
const SMALL: u32 = 2048;
/// What a kernel answers that does not know a condition, or not in this combination.
const NOT_UNDERSTOOD: [i32; 2] = [22, 95];

/// Hands each flow that may be of the selection to `each`, which has to check it.
///
/// A selection that can mean one flow only is looked up by its hash, without a walk over the table.
pub(super) fn find<E: From<ClientError>>(
    client: &mut KernelClient,
    selection: &Selection,
    mut each: impl FnMut(&FlowView<'_>) -> Result<(), E>,
) -> Result<DumpOutcome, E> {
    let Some(request) = selection.single_flow() else {
        return walk(client, selection, each);
    };
    let found = client.fetch(&Request::GetFlow(&request), |message| {
        let flow = FlowView::parse(message.body).map_err(decode_error)?;
        // The answer counts the reference that it holds itself; a list does not, and this stands for one.
        each(&flow.without_one_use())
    });
    match found {
        Ok(done) => done.map(|()| DumpOutcome::Complete),
        Err(error) if has_errno(&error, &[ENOENT]) => Ok(DumpOutcome::Complete),
        Err(error) if has_errno(&error, &NOT_UNDERSTOOD) => walk(client, selection, each),
        Err(error) => Err(error.into()),
    }
}

/// Hands each flow of the table that may be of the selection to `each`, which has to check it.
pub(super) fn walk<E: From<ClientError>>(
    client: &mut KernelClient,
    selection: &Selection,
    mut each: impl FnMut(&FlowView<'_>) -> Result<(), E>,
) -> Result<DumpOutcome, E> {
    let Questions { narrow, plain } = selection.questions();
    if narrow == [plain] || (narrow.len() > 1 && is_small(client)) {
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

/// Whether it costs less to receive the whole table once than to have the kernel look through its hash table twice.
fn is_small(client: &mut KernelClient) -> bool {
    let statistics =
        client.fetch(&Request::TableStatistics, |message| TableStatistics::parse(message.body));
    matches!(statistics, Ok(Ok(TableStatistics { entries: ..SMALL, .. })))
}

/// Hands each flow of a dump to `each`.
pub(super) fn dump<E: From<ClientError>>(
    client: &mut KernelClient,
    request: &Request<'_>,
    mut each: impl FnMut(&FlowView<'_>) -> Result<(), E>,
) -> Result<DumpOutcome, E> {
    client.dump(request, |message| each(&FlowView::parse(message.body).map_err(decode_error)?))
}

/// The question of upstream, and if that is refused as well, the one that every kernel understands.
fn ask_widely<E: From<ClientError>>(
    client: &mut KernelClient,
    plain: &DumpFilter,
    each: &mut impl FnMut(&FlowView<'_>) -> Result<(), E>,
) -> Result<DumpOutcome, E> {
    let widest = DumpFilter { family: plain.family, ..DumpFilter::default() };
    if *plain != widest
        && let Some(outcome) = ask(client, plain, each)?
    {
        return Ok(outcome);
    }
    dump(client, &Request::DumpFlows { filter: &widest, zero: false }, each)
}

/// `None` if the kernel refuses the question. A refusal comes before any flow.
fn ask<E: From<ClientError>>(
    client: &mut KernelClient,
    filter: &DumpFilter,
    each: &mut impl FnMut(&FlowView<'_>) -> Result<(), E>,
) -> Result<Option<DumpOutcome>, E> {
    let mut has_begun = false;
    let dumped = dump(client, &Request::DumpFlows { filter, zero: false }, |flow| {
        has_begun = true;
        each(flow).map_err(Ended::Each)
    });
    match dumped {
        Ok(outcome) => Ok(Some(outcome)),
        Err(Ended::Request(error)) if !has_begun && has_errno(&error, &NOT_UNDERSTOOD) => Ok(None),
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

fn has_errno(error: &ClientError, errnos: &[i32]) -> bool {
    error.kernel().is_some_and(|refusal| errnos.contains(&refusal.errno))
}

pub(super) fn decode_error(error: DecodeError) -> ClientError {
    ClientError::Exchange(ExchangeError::Decode(error))
}
