//! Commands on the table of expectations, but for its events.

use ctnetlink::client::{ClientError, DumpOutcome};
use ctnetlink::wire::RawMessage;
use ctnetlink::{CreateMode, ExpectationAttributes, ExpectationRequest, Request};
use flow::{Expectation, Family};

use super::list::decode_error;
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
        let mut output =
            Output::new(self.surroundings.stdout, self.surroundings.stdout_is_terminal);
        let frame = Frame::of_expectations(self.flags);
        let mut count: u64 = 0;
        let request = Request::DumpExpectations(Some(family));
        let dumped: Result<DumpOutcome, Stopped> = client.dump(&request, |message| {
            let expectation = parse(message)?;
            frame.before_entry(output.buffer(), count);
            count += 1;
            printer.write_expectation(output.buffer(), &expectation, Occasion::Listed);
            output.end_of_entry(frame.after_entry())?;
            Ok(())
        });
        let outcome = match dumped {
            Ok(outcome) => outcome,
            Err(stopped) => {
                frame.break_off(output.buffer(), count);
                let shown = output.finish();
                return shown.and(Err(self.failure(stopped)));
            }
        };
        frame.end(output.buffer(), count, outcome);
        output.finish_with_closing(self.surroundings.stderr, &closing(count, SHOWN))?;
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
        let frame = Frame::of_expectations(self.flags);
        let mut text = Vec::new();
        frame.before_entry(&mut text, 0);
        self.printer().write_expectation(&mut text, &expectation, Occasion::Listed);
        text.extend_from_slice(frame.after_entry().as_bytes());
        frame.end(&mut text, 1, DumpOutcome::Complete);
        self.print(&text)
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
