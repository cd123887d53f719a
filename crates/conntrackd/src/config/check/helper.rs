//! Section `Helper`.

use std::time::Duration;

use flow::Family;

use super::Notes;
use crate::config::ast::{self, HelperStatement, HelperType};
use crate::config::diagnostic::Problem;
use crate::config::model::{Helper, HelperKind, HelperPolicy, HelperTransport, Helpers};
use crate::config::source::{At, Span};

/// The longest name of a policy.
const POLICY_NAME_MAX: usize = 16;

pub(super) fn add(helpers: &mut Helpers, statement: &At<ast::Helper>, notes: &mut Notes) {
    match &statement.value {
        ast::Helper::Setup(switch) => helpers.setup = switch.value,
        ast::Helper::Type(written) => helpers.helpers.extend(helper(written, notes)),
    }
}

/// A helper. Upstream judges its words when it comes to the closing brace, its policies before.
fn helper(written: &HelperType, notes: &mut Notes) -> Option<Helper> {
    let close = written.block.close.end;
    let mut draft = Draft::default();
    for statement in &written.block.statements {
        draft.add(&statement.value, notes);
    }
    let family = match written.layer3.value.as_str() {
        "inet" => Some(Family::Ipv4),
        "inet6" => Some(Family::Ipv6),
        _ => {
            notes.note_later(Problem::HelperLayer3, written.layer3.span, close);
            None
        }
    };
    let transport = match written.layer4.value.as_str() {
        "tcp" => HelperTransport::Tcp,
        "udp" => HelperTransport::Udp,
        _ => {
            notes.note_later(Problem::HelperLayer4, written.layer4.span, close);
            return None;
        }
    };
    let name = &written.name;
    let Some(kind) = HelperKind::find(&name.value, transport) else {
        notes.note_later(Problem::Helper(name.value.clone()), name.span, close);
        return None;
    };
    // Upstream comes to the last one first.
    for policy in draft.policy_names.into_iter().rev() {
        if policy.value != name.value {
            notes.note_later(Problem::HelperPolicy(policy.value), policy.span, close);
        }
    }
    let Draft { queue, queue_len, policy, .. } = draft;
    Some(Helper { kind, family: family?, transport, queue, queue_len, policy })
}

#[derive(Default)]
struct Draft {
    queue: u16,
    queue_len: u32,
    policy: Option<HelperPolicy>,
    policy_names: Vec<ast::Word>,
}

impl Draft {
    fn add(&mut self, statement: &HelperStatement, notes: &mut Notes) {
        match statement {
            HelperStatement::QueueNum(number) => match u16::try_from(number.value) {
                Ok(queue) => self.queue = queue,
                Err(_) => notes.note(Problem::QueueNum, number.span),
            },
            HelperStatement::QueueLen(number) => self.queue_len = notes.amount(number),
            HelperStatement::Policy(name, block) => {
                let close: Span = block.close;
                if block.statements.is_empty() && !block.is_damaged {
                    notes.note_later(Problem::HelperPolicyEmpty, name.span, close.end);
                }
                if name.value.len() > POLICY_NAME_MAX {
                    notes.note_later(Problem::HelperPolicyLong, name.span, close.end);
                    return;
                }
                let mut policy = HelperPolicy::default();
                for statement in &block.statements {
                    match &statement.value {
                        ast::HelperPolicy::ExpectMax(number) => {
                            policy.expect_max = notes.amount(number);
                        }
                        ast::HelperPolicy::ExpectTimeout(number) => {
                            policy.expect_timeout =
                                Duration::from_secs(notes.amount(number).into());
                        }
                    }
                }
                self.policy = Some(policy);
                self.policy_names.push(name.clone());
            }
        }
    }
}
