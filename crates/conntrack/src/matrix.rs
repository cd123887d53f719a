//! Which options each command needs, allows and refuses.
//!
//! A row is a string with a digit for each option: 0 forbidden, 1 mandatory, 2 optional, 3 part of a pair of which at
//! least one must be complete, 4 allowed with `--label-add` only.

use flow::Protocol;

use crate::options::{CommandName, GivenOptions, OPTIONS, OptionId, Options, Table};
use crate::protocol::{self, PairNames, Pairs, ProtocolSpec};
use crate::usage_error::UsageError;
use crate::values::OutputFlags;
use crate::values::StatusList;

/// A row of a command, and the sets of its columns that can be offended against.
struct Row {
    cells: &'static str,
    forbidden: GivenOptions,
    mandatory: GivenOptions,
    with_label_add: GivenOptions,
}

impl Row {
    const fn new(cells: &'static str) -> Self {
        Self {
            cells,
            forbidden: GivenOptions::of_cells(cells, b'0'),
            mandatory: GivenOptions::of_cells(cells, b'1'),
            with_label_add: GivenOptions::of_cells(cells, b'4'),
        }
    }

    /// Whether options of the columns are as they should. Which one is not is for [`check_row`] to find.
    fn is_kept_by(&self, given: GivenOptions) -> bool {
        given.is_disjoint_from(self.forbidden)
            && self.mandatory.outside(given).is_empty()
            && (given.is_disjoint_from(self.with_label_add) || given.has(OptionId::LabelAdd))
    }
}

/// Columns, in the order of [`OptionId`]:
/// `s d r q p t u z e [ ] { } nat-range m i f n g o c b j w l < > ( ) M @`.
static LIST: Row = Row::new("2222202200022020222220222002220");
/// Upstream refuses `--labelmap` here altogether, so that only labels of the default file can be used.
static CREATE: Row = Row::new("3333112000000220022000020202242");
static UPDATE: Row = Row::new("2222222000022022222200002220020");
static DELETE: Row = Row::new("2222222000022022222200022002220");
static GET: Row = Row::new("3333100000000002000200002000000");
static FLUSH: Row = Row::new("0000000000000000200000000000000");
static EVENT: Row = Row::new("2222200020022020222222222002220");
static HELP: Row = Row::new("0000200000000000000000000000000");
static LIST_EXPECT: Row = Row::new("0000000000000000200200000000000");
static CREATE_EXPECT: Row = Row::new("1122112001111000000000000000000");
static FIND_EXPECT: Row = Row::new("1122100000000000000000000000000");
static EVENT_EXPECT: Row = Row::new("0000000000000000000200000000000");
static NOTHING: Row = Row::new("0000000000000000000000000000000");

const ADDRESS_OPTIONS: [OptionId; 4] =
    [OptionId::Src, OptionId::Dst, OptionId::ReplySrc, OptionId::ReplyDst];

const ADDRESS_PAIRS: Pairs = Pairs { original: ("src", "dst"), reply: ("reply-src", "reply-dst") };

/// Any of these is a filter that `-z` cannot be used with. Family, translations and masks are not counted.
const ZERO_FILTERS: [OptionId; 13] = [
    OptionId::Src,
    OptionId::Dst,
    OptionId::ReplySrc,
    OptionId::ReplyDst,
    OptionId::Protonum,
    OptionId::Mark,
    OptionId::Secmark,
    OptionId::Status,
    OptionId::Zone,
    OptionId::OrigZone,
    OptionId::ReplyZone,
    OptionId::Label,
    OptionId::Id,
];

/// Checks that the options go with each other and with the command.
pub fn check(options: &Options) -> Result<(), UsageError> {
    let given = options.given;
    if given.has(OptionId::AnyNat) && given.has_any(&[OptionId::SrcNat, OptionId::DstNat]) {
        return Err(UsageError::AnyNatWithOther);
    }
    let row = row(options.command);
    let in_row = if has_json_form_only(options) { given.without(OptionId::Output) } else { given };
    if !row.is_kept_by(in_row) {
        check_row(OPTIONS.iter().map(|spec| spec.id), row.cells, in_row)?;
    }
    if row.cells.starts_with('3') {
        check_pairs(ADDRESS_OPTIONS, &ADDRESS_PAIRS, given)?;
    }
    let Some((command, table)) = options.command else {
        return Ok(());
    };
    if command != CommandName::Help {
        check_protocol(options, command, table)?;
    }
    if table == Table::Conntrack {
        check_filters(command, given)?;
        if command == CommandName::Delete && options.status.is_some_and(StatusList::is_empty) {
            return Err(UsageError::NoStatusCondition);
        }
    }
    Ok(())
}

/// Whether `-o` asks for JSON and nothing else of a command for which upstream refuses `-o` altogether. Every other
/// value is still refused.
fn has_json_form_only(options: &Options) -> bool {
    let shows = matches!(
        options.command,
        Some((CommandName::Count | CommandName::Stats, _) | (CommandName::Get, Table::Expect))
    );
    shows && matches!(options.output, OutputFlags::JSON | OutputFlags::NDJSON)
}

fn row(command: Option<(CommandName, Table)>) -> &'static Row {
    let Some((command, table)) = command else {
        return &NOTHING;
    };
    match (command, table) {
        (CommandName::List, Table::Expect) => &LIST_EXPECT,
        (CommandName::List, _) => &LIST,
        (CommandName::Create, Table::Expect) => &CREATE_EXPECT,
        (CommandName::Create | CommandName::Add, _) => &CREATE,
        (CommandName::Delete | CommandName::Get, Table::Expect) => &FIND_EXPECT,
        (CommandName::Delete, _) => &DELETE,
        (CommandName::Get, _) => &GET,
        (CommandName::Update, _) => &UPDATE,
        (CommandName::Event, Table::Expect) => &EVENT_EXPECT,
        (CommandName::Event, _) => &EVENT,
        (CommandName::Flush, Table::Conntrack) => &FLUSH,
        (CommandName::Help, _) => &HELP,
        (
            CommandName::Flush | CommandName::Count | CommandName::Stats | CommandName::Version,
            _,
        ) => &NOTHING,
    }
}

fn protocol_row(spec: &ProtocolSpec, command: CommandName, table: Table) -> &'static str {
    let rows = &spec.rows;
    match (command, table) {
        (CommandName::Create, Table::Expect) => rows.create_expectation,
        (CommandName::Delete | CommandName::Get, Table::Expect) => rows.find_expectation,
        (CommandName::List | CommandName::Delete | CommandName::Event, _) => rows.list,
        (CommandName::Update, _) => rows.update,
        (CommandName::Create | CommandName::Add, _) => rows.create,
        (CommandName::Get, _) => rows.get,
        // These refuse `-p` itself, but for help, which is not checked.
        (
            CommandName::Flush
            | CommandName::Count
            | CommandName::Stats
            | CommandName::Version
            | CommandName::Help,
            _,
        ) => "",
    }
}

/// The first offence in the order of the columns.
fn check_row(
    columns: impl Iterator<Item = OptionId>,
    row: &str,
    given: GivenOptions,
) -> Result<(), UsageError> {
    for (option, cell) in columns.zip(row.bytes()) {
        let allowed = match cell {
            b'0' => false,
            b'4' => given.has(OptionId::LabelAdd),
            _ => true,
        };
        if given.has(option) && !allowed {
            return Err(UsageError::Illegal { option });
        }
        if !given.has(option) && cell == b'1' {
            return Err(UsageError::Missing { option });
        }
    }
    Ok(())
}

/// A complete pair is enough, whatever there is of the other one. The message is about the original pair unless only
/// the other one was begun.
fn check_pairs(
    [src, dst, reply_src, reply_dst]: [OptionId; 4],
    names: &Pairs,
    given: GivenOptions,
) -> Result<(), UsageError> {
    if given.has_all(&[src, dst]) || given.has_all(&[reply_src, reply_dst]) {
        return Ok(());
    }
    let reply_begun = given.has_any(&[reply_src, reply_dst]);
    let pair: PairNames =
        if reply_begun && !given.has_any(&[src, dst]) { names.reply } else { names.original };
    Err(UsageError::IncompletePair { pair })
}

fn check_protocol(options: &Options, command: CommandName, table: Table) -> Result<(), UsageError> {
    let given = options.given;
    let spec = options.protocol().and_then(protocol::spec);
    // Kernels without a tracker for DCCP keep such a flow by its number alone, and so it is saved.
    let is_generic = options.protocol() == Some(Protocol::Dccp) && given.of_protocols().is_empty();
    if let Some(spec) = spec.filter(|_| !is_generic) {
        let row = protocol_row(spec, command, table);
        check_row(spec.options.iter().copied(), row, given)?;
        if let (true, Some(names), [a, b, c, d, ..]) =
            (row.starts_with('3'), &spec.pairs, spec.options)
        {
            check_pairs([*a, *b, *c, *d], names, given)?;
        }
    }
    // Options of a protocol that a second `-p` took the place of.
    let known = GivenOptions::of(spec.map_or(&[], |spec| spec.options));
    let unknown = given.of_protocols().outside(known);
    if let Some(option) = unknown.iter().next() {
        return Err(UsageError::Illegal { option });
    }
    if options.state.is_some_and(|state| Some(state.protocol()) != options.protocol()) {
        let option = OptionId::State;
        return Err(UsageError::Illegal { option });
    }
    Ok(())
}

/// What upstream checks when it runs the command. The lists of dying and unconfirmed flows are not checked.
fn check_filters(command: CommandName, given: GivenOptions) -> Result<(), UsageError> {
    let filters = matches!(
        command,
        CommandName::List | CommandName::Update | CommandName::Delete | CommandName::Event
    );
    if !filters {
        return Ok(());
    }
    if given.has(OptionId::Zero) && given.has_any(&ZERO_FILTERS) {
        return Err(UsageError::ZeroWithFilter);
    }
    for (mask, address) in [(OptionId::MaskSrc, OptionId::Src), (OptionId::MaskDst, OptionId::Dst)]
    {
        if given.has(mask) && !given.has(address) {
            return Err(UsageError::MaskWithoutAddress { mask, address });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
