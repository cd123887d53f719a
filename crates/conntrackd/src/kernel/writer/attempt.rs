//! What to ask for an entry next, given what the kernel answered.
//!
//! ```text
//! make    create ─ exists ─► delete, create
//! change  update ─ missing ─► create;  otherwise refused ─► delete, create
//! delete  delete;  missing is fine
//! ```
//!
//! A creation that is refused for its helper or its master is asked for once more without it, a change that is refused for
//! its labels without them.

use ctnetlink::Answer;

use super::request::Parts;

const ENOENT: i32 = 2;
const EEXIST: i32 = 17;
const ENOSPC: i32 = 28;
const EOPNOTSUPP: i32 = 95;

/// What is to be reached.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Goal {
    Make,
    Change,
    Delete,
}

/// What is asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Question {
    Create,
    /// Two requests.
    DeleteAndCreate,
    Update,
    Delete,
}

impl Question {
    pub(super) fn requests(self) -> usize {
        if self == Self::DeleteAndCreate { 2 } else { 1 }
    }
}

/// Where a change was refused for good.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stage {
    /// `could not add new ct entry: …`, `could not add new exp entry: …`, `commit-create: …`.
    Add,
    /// `could not add new ct entry, even when deleting it first: …`, `commit-create: …`.
    AddAfterDelete,
    /// `could not update ct entry: …`: it cannot be deleted either.
    Update,
    /// `could not update ct entry, even if creating it instead: …`.
    UpdateByCreate,
    /// `could not update ct entry, even when deleting it first: …`.
    UpdateAfterDelete,
    /// `could not destroy ct entry: …`, `could not delete exp entry: …`, `commit-destroy: …`.
    Destroy,
}

/// A change that was refused for good.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Failure {
    /// Where.
    pub stage: Stage,
    /// Why.
    pub errno: i32,
}

/// The state of one entry.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Attempt {
    /// Which entry.
    pub(super) index: usize,
    /// Entries of a lower wave are finished before.
    pub(super) wave: u32,
    pub(super) question: Question,
    pub(super) without: Parts,
    goal: Goal,
    /// Why an update was refused; 0 if none was.
    update_errno: i32,
}

/// What an answer means.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    Done,
    Again(Attempt),
    Failed(Failure),
}

impl Attempt {
    pub(super) fn new(index: usize, wave: u32, goal: Goal) -> Self {
        let question = match goal {
            Goal::Make => Question::Create,
            Goal::Change => Question::Update,
            Goal::Delete => Question::Delete,
        };
        Self { index, wave, question, without: Parts::empty(), goal, update_errno: 0 }
    }

    /// What the answers to the requests of this question mean. `parts` are those that the entry has.
    pub(super) fn judge(self, parts: Parts, answers: &[Answer]) -> Verdict {
        let (first, last) = match answers {
            [first, .., last] => (refusal(*first), refusal(*last)),
            [only] => (None, refusal(*only)),
            [] => (None, None),
        };
        let Some(errno) = last else { return Verdict::Done };
        match self.question {
            Question::Delete if errno == ENOENT => Verdict::Done,
            Question::Delete => Verdict::Failed(Failure { stage: Stage::Destroy, errno }),
            Question::Update => self.update_refused(parts, errno),
            Question::Create => self.creation_refused(parts, errno),
            Question::DeleteAndCreate => match first {
                Some(deletion) if deletion != ENOENT => self.replacement_refused(deletion),
                _ => self.creation_refused(parts, errno),
            },
        }
    }

    fn update_refused(self, parts: Parts, errno: i32) -> Verdict {
        if errno == ENOSPC && (parts - self.without).contains(Parts::LABELS) {
            // No rule of this namespace uses labels. A creation would drop them silently.
            return Verdict::Again(Self { without: self.without | Parts::LABELS, ..self });
        }
        let question = if errno == ENOENT { Question::Create } else { Question::DeleteAndCreate };
        Verdict::Again(Self { question, update_errno: errno, ..self })
    }

    fn creation_refused(self, parts: Parts, errno: i32) -> Verdict {
        let refused = match errno {
            // The helper is unknown here: its module is not loaded.
            EOPNOTSUPP => Parts::HELPER,
            // The master has ended: what it foretold goes on all the same.
            ENOENT => Parts::MASTER,
            EEXIST if self.question == Question::Create => {
                return Verdict::Again(Self { question: Question::DeleteAndCreate, ..self });
            }
            _ => Parts::empty(),
        };
        let left = (parts - self.without) & refused;
        if !left.is_empty() {
            return Verdict::Again(Self { without: self.without | left, ..self });
        }
        let stage = match (self.goal, self.question) {
            (Goal::Change, Question::DeleteAndCreate) => Stage::UpdateAfterDelete,
            (Goal::Change, _) => Stage::UpdateByCreate,
            (_, Question::DeleteAndCreate) => Stage::AddAfterDelete,
            (_, _) => Stage::Add,
        };
        Verdict::Failed(Failure { stage, errno })
    }

    /// What stands in the way cannot be deleted.
    fn replacement_refused(self, errno: i32) -> Verdict {
        Verdict::Failed(match (self.goal, self.update_errno) {
            (Goal::Change, 0) => Failure { stage: Stage::Update, errno },
            (Goal::Change, update_errno) => Failure { stage: Stage::Update, errno: update_errno },
            _ => Failure { stage: Stage::Destroy, errno },
        })
    }
}

fn refusal(answer: Answer) -> Option<i32> {
    match answer {
        Answer::Refused(errno) => Some(errno),
        Answer::Done | Answer::None => None,
    }
}

#[cfg(test)]
mod tests {
    use ctnetlink::Answer;

    use super::super::request::Parts;
    use super::{Attempt, Failure, Goal, Question, Stage, Verdict};

    const DONE: Answer = Answer::Done;

    fn no(errno: i32) -> Answer {
        Answer::Refused(errno)
    }

    /// What is asked, given these answers to each question; then the end.
    fn course(goal: Goal, parts: Parts, answers: &[&[Answer]]) -> (Vec<Question>, Verdict) {
        let mut attempt = Attempt::new(0, 0, goal);
        let mut asked = Vec::new();
        for answers in answers {
            asked.push(attempt.question);
            assert_eq!(answers.len(), attempt.question.requests());
            match attempt.judge(parts, answers) {
                Verdict::Again(next) => attempt = next,
                end => return (asked, end),
            }
        }
        panic!("the answers do not lead to an end: {asked:?}");
    }

    fn failed(stage: Stage, errno: i32) -> Verdict {
        Verdict::Failed(Failure { stage, errno })
    }

    #[test]
    fn a_flow_that_exists_is_replaced_once() {
        use Question::{Create, DeleteAndCreate};
        let none = Parts::empty();
        for (answers, expected) in [
            (&[&[DONE][..]][..], Verdict::Done),
            (&[&[no(17)], &[DONE, DONE]], Verdict::Done),
            (&[&[no(17)], &[no(2), DONE]], Verdict::Done),
            (&[&[no(17)], &[DONE, no(17)]], failed(Stage::AddAfterDelete, 17)),
            (&[&[no(17)], &[no(16), no(17)]], failed(Stage::Destroy, 16)),
            (&[&[no(12)]], failed(Stage::Add, 12)),
        ] {
            let (asked, end) = course(Goal::Make, none, answers);
            assert_eq!(end, expected, "{answers:?}");
            assert_eq!(asked, &[Create, DeleteAndCreate][..answers.len()]);
        }
    }

    #[test]
    fn a_change_of_nothing_makes_and_one_that_is_refused_replaces() {
        use Question::{Create, DeleteAndCreate, Update};
        for (answers, asked, expected) in [
            (&[&[DONE][..]][..], &[Update][..], Verdict::Done),
            (&[&[no(2)], &[DONE]], &[Update, Create], Verdict::Done),
            (&[&[no(2)], &[no(12)]], &[Update, Create], failed(Stage::UpdateByCreate, 12)),
            (&[&[no(16)], &[DONE, DONE]], &[Update, DeleteAndCreate], Verdict::Done),
            (
                &[&[no(16)], &[DONE, no(22)]],
                &[Update, DeleteAndCreate],
                failed(Stage::UpdateAfterDelete, 22),
            ),
            (&[&[no(1)], &[no(13), no(17)]], &[Update, DeleteAndCreate], failed(Stage::Update, 1)),
        ] {
            assert_eq!(course(Goal::Change, Parts::empty(), answers), (asked.to_vec(), expected));
        }
    }

    #[test]
    fn what_is_gone_is_deleted() {
        for (answer, expected) in
            [(DONE, Verdict::Done), (no(2), Verdict::Done), (no(1), failed(Stage::Destroy, 1))]
        {
            assert_eq!(course(Goal::Delete, Parts::all(), &[&[answer]]).1, expected);
        }
    }

    #[test]
    fn helper_and_master_are_given_up_before_the_flow_is() {
        let answers: &[&[Answer]] = &[&[no(17)], &[DONE, no(95)], &[no(2), no(2)], &[no(2), DONE]];
        assert_eq!(course(Goal::Make, Parts::all(), answers).1, Verdict::Done);
        let again = &answers[..2];
        let Verdict::Failed(failure) = course(Goal::Make, Parts::MASTER, again).1 else { panic!() };
        assert_eq!(failure, Failure { stage: Stage::AddAfterDelete, errno: 95 });
        let twice: &[&[Answer]] = &[&[no(95)], &[no(95)]];
        assert_eq!(course(Goal::Make, Parts::HELPER, twice).1, failed(Stage::Add, 95));
    }

    #[test]
    fn labels_that_have_no_room_do_not_cost_the_flow() {
        let answers: &[&[Answer]] = &[&[no(28)], &[DONE]];
        let (asked, end) = course(Goal::Change, Parts::LABELS, answers);
        assert_eq!((asked, end), (vec![Question::Update; 2], Verdict::Done));
    }
}
