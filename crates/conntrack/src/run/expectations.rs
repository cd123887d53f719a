//! Commands on the table of expectations, but for its events.

use ctnetlink::client::{ClientError, DumpOutcome};
use ctnetlink::wire::RawMessage;
use ctnetlink::{CreateMode, ExpectationAttributes, ExpectationRequest, Request};
use flow::{Expectation, Family};

use super::entries::Entries;
use super::walk::decode_error;
use super::{Session, Stopped, closing};
use crate::frame::Frame;
use crate::output::Output;
use crate::printer::{Occasion, Printer};
use crate::report::{Exit, Failure, message};

const SHOWN: &str = "expectations have been shown.";

impl Session<'_, '_> {
    pub(super) fn list_expectations(&mut self, family: Family) -> Result<Exit, Failure> {
        let mut client = self.connect()?;
        let printer = Printer::new(self.flags, None, self.surroundings.system);
        let output = Output::new(self.surroundings.stdout, self.surroundings.stdout_is_terminal);
        let mut entries = Entries::new(Frame::of_expectations(self.flags), output);
        let request = Request::DumpExpectations(Some(family));
        let dumped: Result<DumpOutcome, Stopped> = client.dump(&request, |message| {
            let expectation = parse(message)?;
            entries.show(|out| {
                printer.write_expectation(out, &expectation, Occasion::Listed);
            })?;
            Ok(())
        });
        let outcome = match dumped {
            Ok(outcome) => outcome,
            Err(stopped) => {
                let shown = entries.break_off();
                return shown.and(Err(self.failure(stopped)));
            }
        };
        entries.finish_with_closing(outcome, self.surroundings.stderr, SHOWN)?;
        self.warn_if_interrupted(outcome);
        Ok(Exit::Success)
    }

    pub(super) fn get_expectation(
        &mut self,
        request: &ExpectationRequest,
    ) -> Result<Exit, Failure> {
        let mut client = self.connect()?;
        let fetched = client.fetch(&Request::GetExpectation(request), parse);
        let expectation = fetched.and_then(|parsed| parsed).map_err(|error| self.refused(error))?;
        let printer = Printer::new(self.flags, None, self.surroundings.system);
        let output = Output::new(self.surroundings.stdout, self.surroundings.stdout_is_terminal);
        let mut entries = Entries::new(Frame::of_expectations(self.flags), output);
        entries.show(|out| printer.write_expectation(out, &expectation, Occasion::Listed))?;
        entries.finish(DumpOutcome::Complete)?;
        Ok(Exit::Success)
    }

    pub(super) fn create_expectation(
        &mut self,
        request: &ExpectationRequest,
    ) -> Result<Exit, Failure> {
        self.execute(&Request::PutExpectation(request, CreateMode::CreateOnly))
    }

    pub(super) fn delete_expectation(
        &mut self,
        request: &ExpectationRequest,
    ) -> Result<Exit, Failure> {
        self.execute(&Request::DeleteExpectation(request))?;
        // Upstream's words, which scripts may know; only its exit code, that of a failure, is not kept.
        message(self.surroundings.stderr, &closing(0, SHOWN));
        Ok(Exit::Success)
    }

    pub(super) fn flush_expectations(&mut self, family: Family) -> Result<Exit, Failure> {
        self.execute(&Request::FlushExpectations(Some(family)))?;
        message(self.surroundings.stderr, "expectation table has been emptied.");
        Ok(Exit::Success)
    }

    pub(super) fn count_expectations(&mut self, family: Family) -> Result<Exit, Failure> {
        let mut client = self.connect()?;
        let mut count: u64 = 0;
        let request = Request::DumpExpectations(Some(family));
        let dumped: Result<DumpOutcome, ClientError> = client.dump(&request, |_| {
            count += 1;
            Ok(())
        });
        let outcome = dumped.map_err(|error| self.refused(error))?;
        self.warn_if_interrupted(outcome);
        self.print_count(count, None)
    }

    fn execute(&mut self, request: &Request<'_>) -> Result<Exit, Failure> {
        let mut client = self.connect()?;
        client.execute(request).map_err(|error| self.refused(error))?;
        Ok(Exit::Success)
    }
}

fn parse(message: &RawMessage<'_>) -> Result<Expectation, ClientError> {
    ExpectationAttributes::parse(message.body)
        .and_then(|attributes| attributes.to_expectation())
        .map_err(decode_error)
}
