//! Settings while they are being put together: values as they come from each source, where each came
//! from, and every fault so far. [`Draft::finish`] makes the checks that need more than one key.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::domain::action::{Action, KeyBindings, KeyFault, KeyName};
use crate::domain::spec::ArmSpec;
use crate::domain::terms::{Weights, WeightsFault};

use super::arms::{self, ArmDraft, EndpointDraft};
use super::fault::{Origin, SettingsFault, SettingsFaults};
use super::kind::Scalar;
use super::model::{JudgeSettings, Settings};
use super::observing::LogFile;
use super::policies::{CacheKind, SearchKind};
use super::row::KeyRow;
use super::rows::KEYS;
use super::slos::{self, SloDraft};

/// The form of the file that this program reads.
pub const VERSION: u64 = 1;

/// Values of all sources so far.
pub(super) struct Draft {
    pub(super) settings: Settings,
    pub(super) version: u64,
    pub(super) weights: [f64; 6],
    pub(super) penalty: f64,
    pub(super) arms: Vec<ArmDraft>,
    pub(super) slos: Vec<(SloDraft, Origin)>,
    pub(super) judge: EndpointDraft,
    pub(super) judge_arm: Option<String>,
    pub(super) keys: BTreeMap<Action, (Vec<KeyName>, Origin)>,
    pub(super) faults: Vec<SettingsFault>,
    /// True where the file could not be read as TOML in full: what seems absent may only be unread.
    pub(super) incomplete: bool,
    /// For faults about something that is nowhere.
    whole_file: Origin,
    origins: BTreeMap<&'static str, Origin>,
}

impl Draft {
    /// The defaults, all read off the table.
    pub(super) fn defaults(whole_file: Origin) -> Self {
        let mut draft = Self {
            settings: Settings::default(),
            version: VERSION,
            weights: [0.0; 6],
            penalty: 0.0,
            arms: Vec::new(),
            slos: Vec::new(),
            judge: EndpointDraft::default(),
            judge_arm: None,
            keys: BTreeMap::new(),
            faults: Vec::new(),
            incomplete: false,
            whole_file,
            origins: BTreeMap::new(),
        };
        for row in KEYS.iter() {
            if let Some(Ok(value)) = row.default.map(|text| row.kind.of_text(text)) {
                (row.set)(&mut draft, &value);
            }
        }
        draft
    }

    /// Stores a checked value.
    pub(super) fn set(&mut self, row: &'static KeyRow<Self>, value: &Scalar, origin: Origin) {
        (row.set)(self, value);
        self.origins.insert(row.name, origin);
    }

    /// Where a key's value came from.
    fn origin(&self, key: &str) -> Origin {
        self.origins.get(key).cloned().unwrap_or(Origin::Default)
    }

    /// The place of the last of these keys that somebody set, for faults about several.
    fn origin_of_any(&self, keys: &[&str]) -> Origin {
        let set = keys.iter().filter_map(|key| self.origins.get(key)).max();
        set.cloned().unwrap_or_else(|| self.whole_file.clone())
    }

    pub(super) fn fault(&mut self, origin: Origin, key: &str, expected: &str, found: &str, mend: &str) {
        let [expected, found, mend] = [expected, found, mend].map(str::to_owned);
        self.faults.push(SettingsFault { origin, key: key.to_owned(), expected, found, mend });
    }

    /// Checks what needs more than one key.
    pub(super) fn finish(mut self) -> Result<Settings, SettingsFaults> {
        self.check_version();
        let arms = self.finish_arms();
        self.settings.judge = self.finish_judge(&arms);
        self.settings.arms = arms;
        self.finish_slos();
        self.finish_weights();
        self.check_pairs();
        self.check_search();
        self.check_cache();
        self.finish_keys();
        self.finish_paths();
        if self.faults.is_empty() { Ok(self.settings) } else { Err(SettingsFaults::new(self.faults)) }
    }

    fn check_version(&mut self) {
        if self.version > VERSION {
            let (expected, found) = (format!("{VERSION} or less"), self.version.to_string());
            let mend = "this file was written for a newer banditop: update banditop";
            self.fault(self.origin("version"), "version", &expected, &found, mend);
        }
    }

    fn finish_arms(&mut self) -> Vec<ArmSpec> {
        let drafts = std::mem::take(&mut self.arms);
        let (specs, faults) = arms::check(&drafts);
        self.settings.expectations = drafts.iter().filter_map(|draft| draft.endpoint.expectation()).collect();
        self.faults.extend(faults);
        let mend = "add a table [[arms]] with name, base_url and model; `banditop config template` shows one";
        if drafts.is_empty() && !self.incomplete {
            self.fault(self.whole_file.clone(), "arms", "at least one arm", "none", mend);
        } else if !specs.is_empty() && specs.iter().all(|arm| !arm.enabled) {
            let mend = "set enabled = true on one of them";
            self.fault(self.whole_file.clone(), "arms", "at least one arm that is enabled", "none", mend);
        }
        if let [only] = specs.as_slice() {
            let note = format!("`{}` is the only arm: every prompt goes to it, there is nothing to learn", only.name);
            self.settings.notes.push(note);
        }
        specs
    }

    fn finish_slos(&mut self) {
        let (specs, faults) = slos::check(&std::mem::take(&mut self.slos));
        self.faults.extend(faults);
        self.settings.slos = specs;
    }

    fn finish_judge(&mut self, arms: &[ArmSpec]) -> Option<JudgeSettings> {
        let draft = std::mem::take(&mut self.judge);
        let has_model = draft != EndpointDraft::default();
        match self.judge_arm.take() {
            Some(name) => {
                if has_model {
                    let found = "arm and a model of its own";
                    let mend = "keep judge.arm, or provider, base_url and model, not both";
                    self.fault(self.origin("judge.arm"), "judge", "one judge", found, mend);
                }
                self.judging_arm(&name, arms)
            }
            None if has_model => self.judging_model(&draft),
            None => {
                let note = "no [judge]: previews are scored by the local fallback judge, which knows little";
                self.settings.notes.push(note.to_owned());
                None
            }
        }
    }

    fn judging_arm(&mut self, name: &str, arms: &[ArmSpec]) -> Option<JudgeSettings> {
        let names: Vec<&str> = arms.iter().map(|arm| arm.name.as_str()).collect();
        if let Some(arm) = arms.iter().find(|arm| arm.name.as_str() == name) {
            return Some(JudgeSettings::Arm(arm.name.clone()));
        }
        // Without one sound arm the name cannot be judged; what is wrong with the arms is said already.
        if !self.incomplete && !arms.is_empty() {
            let expected = format!("the name of an arm ({})", names.join(", "));
            let near = super::fault::nearest(name, names.iter().copied());
            let mend = near.map_or("name one of the arms".to_owned(), |near| format!("did you mean {near:?}?"));
            self.fault(self.origin("judge.arm"), "judge.arm", &expected, &format!("{name:?}"), &mend);
        }
        None
    }

    fn judging_model(&mut self, draft: &EndpointDraft) -> Option<JudgeSettings> {
        let keys = ["judge.provider", "judge.base_url", "judge.model", "judge.api_key_env"];
        let prices = ["input", "output", "cached"].map(|kind| format!("judge.price_per_million.{kind}"));
        let prices: Vec<&str> = prices.iter().map(String::as_str).collect();
        let origin = self.origin_of_any(&[keys.as_slice(), prices.as_slice()].concat());
        let name = draft.model.clone();
        let (spec, faults) = arms::endpoint(draft, name, "judge", &origin);
        self.faults.extend(faults);
        spec.map(JudgeSettings::Model)
    }

    fn finish_weights(&mut self) {
        match Weights::new(self.weights, self.penalty) {
            Ok(weights) => self.settings.reward.weights = weights,
            Err(faults) if faults.contains(&WeightsFault::AllZero) => {
                let origin = self.origin_of_any(&["reward.quality", "reward.latency", "reward.cost"]);
                self.fault(
                    origin,
                    "reward",
                    "at least one weight above 0",
                    "all 0",
                    "raise one, for example quality = 0.7",
                );
            }
            // Single weights out of range have been refused by their kind.
            Err(_) => {}
        }
    }

    /// Keys that bound each other, each value in its own unit.
    fn check_pairs(&mut self) {
        let Settings { reward, preview, timeouts, retry, health, .. } = &self.settings;
        let seconds = |wait: Duration| wait.as_secs_f64();
        // Between equal bounds of dollars there is no scale; the others may meet.
        let below =
            [("reward.cost_floor_usd", reward.cost_floor_usd, "reward.cost_ceiling_usd", reward.cost_ceiling_usd)];
        let at_most = [
            ("preview.min_tokens", preview.min_tokens.into(), "preview.max_tokens", preview.max_tokens.into()),
            ("timeouts.floor_s", seconds(timeouts.floor), "timeouts.ceiling_s", seconds(timeouts.ceiling)),
            ("retry.base_s", seconds(retry.base), "retry.longest_s", seconds(retry.longest)),
            ("health.first_s", seconds(health.first), "health.longest_s", seconds(health.longest)),
        ];
        let wrong_below = below.into_iter().filter(|(_, least, _, most)| least >= most).map(|pair| ("less than", pair));
        let wrong_at_most =
            at_most.into_iter().filter(|(_, least, _, most)| least > most).map(|pair| ("at most", pair));
        for (relation, (low, least, high, most)) in wrong_below.chain(wrong_at_most) {
            let expected = format!("{relation} {high} ({most})");
            let mend = format!("lower it, or raise {high}");
            self.fault(self.origin_of_any(&[low, high]), low, &expected, &least.to_string(), &mend);
        }
    }

    /// A search needs to know where, or by which key.
    fn check_search(&mut self) {
        let search = &self.settings.search;
        let origin = self.origin("search.provider");
        if search.kind == SearchKind::Searxng && search.base_url.is_none() {
            let mend = "add base_url = \"http://localhost:8080\", or set provider = \"off\"";
            self.fault(origin, "search.base_url", "the address of a SearXNG instance", "none", mend);
        } else if search.kind == SearchKind::Brave && search.api_key_env.is_none() {
            let mend = "add api_key_env = \"BRAVE_API_KEY\", or set provider = \"off\"";
            self.fault(origin, "search.api_key_env", "the variable that holds the key", "none", mend);
        }
    }

    /// Redis needs to know where, and a program that knows it.
    fn check_cache(&mut self) {
        let cache = &self.settings.cache;
        if cache.kind != CacheKind::Redis {
            return;
        }
        let has_address = cache.url.is_some();
        let origin = self.origin("cache.kind");
        if !CacheKind::HAS_REDIS {
            let mend = "build it with `cargo build --release --features redis`, or set kind = \"memory\" or \"sled\"";
            self.fault(origin, "cache.kind", "a program that was built with Redis", "one without", mend);
        } else if !has_address {
            let mend = "add url = \"redis://localhost:6379\", or set kind = \"memory\"";
            self.fault(origin, "cache.url", "the address of a Redis", "none", mend);
        }
    }

    /// A relative path in a file is relative to that file; in a variable or flag, to where one stands. A
    /// bare word may be the name of a built-in scenario.
    fn finish_paths(&mut self) {
        let beside = |origin: Origin, path: &mut PathBuf| {
            if let Origin::File { file, .. } = origin
                && path.is_relative()
                && let Some(folder) = Path::new(&*file).parent()
            {
                *path = folder.join(&*path);
            }
        };
        let (state, scenario) = (self.origin("data_dir"), self.origin("simulation.scenario"));
        let priors = self.origin("router.priors");
        if let Some(path) = &mut self.settings.router.priors {
            beside(priors, path);
        }
        if let Some(path) = &mut self.settings.data_dir {
            beside(state, path);
        }
        let log = self.origin("log.file");
        if let LogFile::At(path) = &mut self.settings.log.file {
            beside(log, path);
        }
        let is_file = |path: &&mut PathBuf| path.components().count() > 1 || path.extension().is_some();
        if let Some(path) = self.settings.simulation.scenario.as_mut().filter(is_file) {
            beside(scenario, path);
        }
    }

    fn finish_keys(&mut self) {
        let changes = self.keys.iter().map(|(action, (keys, _))| (*action, keys.clone())).collect();
        match KeyBindings::with(&changes) {
            Ok(bindings) => self.settings.keys = bindings,
            Err(faults) => faults.iter().for_each(|fault| self.key_fault(fault)),
        }
    }

    fn key_fault(&mut self, fault: &KeyFault) {
        let KeyFault::Clash { key, first, second } = fault else { return };
        let origin_of = |name: &str| {
            let action = Action::from_name(name)?;
            self.keys.get(&action).map(|(_, origin)| origin.clone())
        };
        let origin = [origin_of(first), origin_of(second)].into_iter().flatten().max();
        let found = format!("`{first}` and `{second}`");
        let mend = "give one of them another key";
        let origin = origin.unwrap_or_else(|| self.whole_file.clone());
        self.fault(origin, "keys", &format!("one action on the key {key:?}"), &found, mend);
    }
}
