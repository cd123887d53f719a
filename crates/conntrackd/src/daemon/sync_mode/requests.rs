//! Requests of the operator in sync mode.

use ctnetlink::Table;
use ctsync::{CacheCursor, CacheName, Request as NodeRequest, Which};

use super::SyncMode;
use crate::config::Mode;
use crate::control::Request;
use crate::daemon::Reaction;
use crate::daemon::answers::{Answer, Content, Form};
use crate::daemon::context::Context;
use crate::daemon::words::Line;
use crate::kernel::{Job, Purpose};
use crate::statistics;
use crate::wake::ClientId;

impl SyncMode {
    /// Does what a client asks for. Short answers go to `out`.
    pub(crate) fn on_request(
        &mut self,
        context: &mut Context,
        client: ClientId,
        request: Request,
        out: &mut Vec<u8>,
    ) -> Reaction {
        use Request as R;
        match request {
            R::Statistics => self.show_flows(out),
            R::StatisticsExpectations => self.show_expectations(out),
            R::StatisticsNetwork => self.show_network(out),
            R::StatisticsCache => self.show_caches(out),
            R::StatisticsLink => self.show_links(out),
            R::StatisticsQueue => self.show_queues(out),
            R::StatisticsResendQueue => return self.show_resend_queue(out),
            R::DumpInternal => return self.dump_internal(context, client, Form::Plain),
            R::DumpInternalXml => return self.dump_internal(context, client, Form::Xml),
            R::DumpExternal => return self.dump(CacheName::External, Content::Flows, Form::Plain),
            R::DumpExternalXml => return self.dump(CacheName::External, Content::Flows, Form::Xml),
            R::DumpInternalExpectations
            | R::DumpInternalExpectationsXml
            | R::DumpExternalExpectations
            | R::DumpExternalExpectationsXml => return self.dump_expectations(request),
            R::CommitFlows => return self.commit(context, client, Which::Flows),
            R::CommitExpectations => return self.commit(context, client, Which::Expectations),
            R::Commit => return self.commit(context, client, Which::All),
            _ => self.order(context, request),
        }
        Reaction::Finished
    }

    /// Requests without an answer.
    fn order(&mut self, context: &mut Context, request: Request) {
        use Request as R;
        let all = if self.synchronizes_expectations() { Which::All } else { Which::Flows };
        let ordered = match request {
            R::FlushKernel if self.synchronizes_expectations() => {
                self.node.on_request(context.now, NodeRequest::FlushKernel(Which::Flows));
                NodeRequest::FlushKernel(Which::Expectations)
            }
            R::FlushKernel | R::FlushKernelFlows => NodeRequest::FlushKernel(Which::Flows),
            R::FlushKernelExpectations if self.synchronizes_expectations() => {
                NodeRequest::FlushKernel(Which::Expectations)
            }
            R::FlushInternal => NodeRequest::FlushInternal,
            R::FlushExternal => NodeRequest::FlushExternal,
            R::FlushFlowCaches | R::FlushCaches => NodeRequest::Flush,
            R::SendBulk => NodeRequest::Bulk,
            R::RequestDump => NodeRequest::Resync,
            R::ResetTimers => NodeRequest::PurgeKernel,
            R::ResyncFlows => return self.resync(context, Which::Flows),
            R::ResyncExpectations if self.synchronizes_expectations() => {
                return self.resync(context, Which::Expectations);
            }
            R::Resync => return self.resync(context, all),
            _ => return,
        };
        self.node.on_request(context.now, ordered);
    }

    fn resync(&mut self, context: &mut Context, which: Which) {
        if !self.has_internal_cache() {
            context.say(&Line::notice("resync is unsupported in this mode"));
            return;
        }
        // After a loss the peer lacks what was lost as well, and a refill would hide that from the comparison that is due.
        let events = context.kernel.events.as_ref();
        let purpose = if events.is_some_and(|events| events.resync().deadline().is_some()) {
            Purpose::AfterOverrun
        } else {
            Purpose::FillCache
        };
        for (wanted, table, name) in [
            (which != Which::Expectations, Table::Flows, "conntrack"),
            (which != Which::Flows, Table::Expectations, "expect"),
        ] {
            if wanted {
                context.say(&Line::notice(format!("resync with master {name} table")));
                context.kernel.resyncs += u64::from(table == Table::Flows);
                context.ask_dump(Job { purpose, table });
            }
        }
    }

    fn commit(&mut self, context: &mut Context, client: ClientId, which: Which) -> Reaction {
        let which = match which {
            Which::Expectations if !self.synchronizes_expectations() => return Reaction::Finished,
            which => which,
        };
        if self.work.commit.is_running() {
            // The node says that it skips it.
            self.node.on_request(context.now, NodeRequest::Commit(which));
            return Reaction::Finished;
        }
        self.work.commit.await_end(client);
        self.node.on_request(context.now, NodeRequest::Commit(which));
        Reaction::Goes(Answer::Awaited)
    }

    fn dump_internal(&self, context: &mut Context, client: ClientId, form: Form) -> Reaction {
        if self.has_internal_cache() {
            return self.dump(CacheName::Internal, Content::Flows, form);
        }
        // The kernel's table takes its place. Upstream knows no XML here.
        context.ask_dump(Job { purpose: Purpose::Print(client), table: Table::Flows });
        Reaction::Goes(Answer::Awaited)
    }

    fn dump_expectations(&self, request: Request) -> Reaction {
        if !self.synchronizes_expectations() {
            return Reaction::Finished;
        }
        let (name, form) = match request {
            Request::DumpInternalExpectations => (CacheName::Internal, Form::Plain),
            Request::DumpInternalExpectationsXml => (CacheName::Internal, Form::Xml),
            Request::DumpExternalExpectations => (CacheName::External, Form::Plain),
            _ => (CacheName::External, Form::Xml),
        };
        self.dump(name, Content::Expectations, form)
    }

    fn dump(&self, name: CacheName, content: Content, form: Form) -> Reaction {
        let is_there = match name {
            CacheName::Internal => self.has_internal_cache(),
            CacheName::External => self.has_external_cache(),
        };
        if !is_there {
            return Reaction::Finished;
        }
        Reaction::Goes(Answer::Cache { name, content, form, cursor: CacheCursor::START })
    }

    fn show_resend_queue(&self, out: &mut Vec<u8>) -> Reaction {
        if !matches!(self.config.mode, Mode::Ftfw(_)) {
            return Reaction::Finished;
        }
        let len = u64::try_from(self.node.statistics().resend_len).unwrap_or(u64::MAX);
        statistics::resend_queue(out, len);
        Reaction::Goes(Answer::ResendQueue(None))
    }

    /// The core, for what is only looked at.
    pub(crate) fn node(&self) -> &ctsync::Node {
        &self.node
    }
}
