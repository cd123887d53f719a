//! The sections, and the statements of `Stats` and `Helper`.

use super::general::GENERAL;
use super::sync::SYNC;
use super::{Parsed, Parser};
use crate::config::ast::{
    Helper, HelperPolicy, HelperStatement, HelperType, Path, Section, Stats, SwitchOr, Word,
};
use crate::config::keyword::Keyword;

impl Parser<'_> {
    pub(super) fn section(&mut self, keyword: Keyword) -> Parsed<Section> {
        Ok(match keyword {
            Keyword::Sync => Section::Sync(self.block(SYNC, Self::sync)?),
            Keyword::Stats => {
                Section::Stats(self.block(&[Keyword::LogFile, Keyword::Syslog], Self::stats)?)
            }
            Keyword::Helper => {
                Section::Helper(self.block(&[Keyword::Setup, Keyword::Type], Self::helper)?)
            }
            _ => Section::General(self.block(GENERAL, Self::general)?),
        })
    }

    fn stats(&mut self, keyword: Keyword) -> Parsed<Stats> {
        match keyword {
            Keyword::LogFile => self.switch_or_path().map(Stats::LogFile),
            _ => self.switch_or_facility().map(Stats::Syslog),
        }
    }

    pub(super) fn switch_or_path(&mut self) -> Parsed<SwitchOr<Path>> {
        self.switch_or("`on', `off' or an absolute path without quotes", Self::path)
    }

    pub(super) fn switch_or_facility(&mut self) -> Parsed<SwitchOr<Word>> {
        let facility = "`on', `off' or a syslog facility";
        self.switch_or(facility, |parser| parser.name("a syslog facility"))
    }

    fn helper(&mut self, keyword: Keyword) -> Parsed<Helper> {
        if keyword == Keyword::Setup {
            return self.switch().map(Helper::Setup);
        }
        let name = self.name("the name of a helper")?;
        let layer3 = self.name("`inet' or `inet6'")?;
        let layer4 = self.name("`tcp' or `udp' in small letters")?;
        let keywords = &[Keyword::Policy, Keyword::QueueLen, Keyword::QueueNum];
        let block = self.block(keywords, Self::helper_statement)?;
        Ok(Helper::Type(HelperType { name, layer3, layer4, block }))
    }

    fn helper_statement(&mut self, keyword: Keyword) -> Parsed<HelperStatement> {
        match keyword {
            Keyword::QueueNum => self.number().map(HelperStatement::QueueNum),
            Keyword::QueueLen => self.number().map(HelperStatement::QueueLen),
            _ => {
                let name = self.name("the name of a policy")?;
                let keywords = &[Keyword::ExpectMax, Keyword::ExpectTimeout];
                let block = self.block(keywords, Self::helper_policy)?;
                Ok(HelperStatement::Policy(name, block))
            }
        }
    }

    fn helper_policy(&mut self, keyword: Keyword) -> Parsed<HelperPolicy> {
        match keyword {
            Keyword::ExpectMax => self.number().map(HelperPolicy::ExpectMax),
            _ => self.number().map(HelperPolicy::ExpectTimeout),
        }
    }
}
