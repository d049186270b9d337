//! Opening a run: everything that can be refused is refused here, the cheapest first and before
//! anything is written; then the folder is taken and the place to go on from is found.

use std::fs;
use std::path::Path;

use catscan_data::{Dataset, order};
use catscan_models::{Mode, ModelConfig};
use catscan_torch_ext::{cpu, determinism};

use crate::batches::{Plan, pieces};
use crate::checkpoint::State;
use crate::environment::{WORLD_SIZE, computing_on, libtorch_version, processor};
use crate::error::TrainError;
use crate::event::{Event, Watch};
use crate::learner::Learner;
use crate::lock::Lock;
use crate::metrics::Tally;
use crate::pace::Pace;
use crate::recipe::{Recipe, RecipeError};
use crate::record::{self, PartCounts, RECIPE_FILE};
use crate::resume::{Place, find_place, go_on_from, refuse_other_run, write_environment};
use crate::room::check_room;
use crate::run::{Ledger, Opened, Run};
use crate::storage::{remove_leftovers, write_atomic};
use crate::train::Job;

impl Run {
    pub fn open(job: &Job, watch: &mut dyn Watch) -> Result<Opened, TrainError> {
        check(job)?;
        let recipe = job.recipe;
        let plan = Plan::of_training(recipe, job.dataset)?;
        let steps_per_epoch = plan.steps_per_epoch(recipe);
        let steps_total = steps_per_epoch * u64::from(recipe.epochs);
        let steps_target = job.max_steps.map_or(steps_total, |most| most.min(steps_total));
        if job.resume.is_none() && already_done(job, steps_target)? {
            return Ok(Opened::AlreadyDone);
        }
        let counts = PartCounts::of(job.dataset).train;
        let (mut learner, loaded) = Learner::build(recipe, &counts, job.device)?;
        check_smallest(recipe, &plan, &learner)?;

        watch.on_event(&data_event(job));
        let lock = take_folder(job.folder)?;
        refuse_other_run(job)?;
        remove_leftovers(job.folder).map_err(|error| TrainError::storage(job.folder, 0, error))?;
        let place = find_place(job, steps_per_epoch, watch)?;
        let step = place.as_ref().map_or(0, |place| place.state.step);
        check_room(job, learner.checkpoint_bytes(), step, watch)?;

        let state = match &place {
            Some(place) => {
                learner.restore(&place.path, job.device)?;
                place.state.clone()
            }
            None => {
                loaded.iter().for_each(|event| watch.on_event(event));
                beginning()
            }
        };
        let state = State { steps_per_epoch, ..as_of_now(job, state) };
        go_on_from(job, place.as_ref(), watch)?;
        write_records(job, place.as_ref())?;
        let ledger = Ledger::restart(job.folder, &state.epochs)?;
        watch.on_event(&Event::Started {
            parameters: learner.numbers() as u64,
            frozen: learner.frozen() as u64,
            steps_total,
            steps_target,
            epochs: recipe.epochs,
            resumed_from: place.map(|place| place.state.step),
        });
        Ok(Opened::Run(Box::new(Run {
            learner,
            state,
            plan,
            steps_total,
            steps_target,
            steps_per_epoch,
            epochs: recipe.epochs,
            early_stop: recipe.early_stop,
            validation: validation_pictures(recipe, job.dataset),
            test_pictures: job.dataset.split.test.len() as u64,
            batch: recipe.batch,
            folder: job.folder.to_path_buf(),
            saving: job.saving,
            ledger,
            pace: Pace::default(),
            cut: false,
            unsaved: false,
            _lock: lock,
        })))
    }
}

/// What can be told from the job alone.
fn check(job: &Job) -> Result<(), TrainError> {
    if job.max_steps == Some(0) {
        return wrong("max_steps", "0".into(), "1 or more".into());
    }
    check_data(job.recipe, job.dataset)
}

fn wrong(key: &str, value: String, allowed: String) -> Result<(), TrainError> {
    Err(RecipeError::Value { key: key.into(), value, allowed }.into())
}

/// Whether the recipe is possible and the open data set is the one it speaks of.
pub(crate) fn check_data(recipe: &Recipe, dataset: &Dataset) -> Result<(), TrainError> {
    recipe.validate()?;
    if dataset.size_px != recipe.data.size_px {
        let allowed = format!("{}, the size of the open data set", dataset.size_px);
        return wrong("data.size_px", recipe.data.size_px.to_string(), allowed);
    }
    if dataset.channels() as i64 != recipe.model.in_channels {
        let allowed = format!("{}, the channels of the open data set", dataset.channels());
        return wrong("model.in_channels", recipe.model.in_channels.to_string(), allowed);
    }
    let classes = dataset.classes.len();
    if classes < 2 {
        return wrong("data.source", recipe.data.source.clone(), "two classes or more".into());
    }
    if recipe.model.outputs != ModelConfig::outputs_for(classes) {
        let allowed = ModelConfig::outputs_in_words(classes);
        return wrong("model.outputs", recipe.model.outputs.to_string(), allowed);
    }
    for (part, pictures) in [("val", &dataset.split.val), ("test", &dataset.split.test)] {
        if pictures.is_empty() {
            return Err(TrainError::TooFewPictures { part, pictures: 0, least: 1 });
        }
    }
    Ok(())
}

/// The smallest piece of a batch must be enough for the network.
pub(crate) fn check_smallest(
    recipe: &Recipe,
    plan: &Plan,
    learner: &Learner,
) -> Result<(), TrainError> {
    let pieces = pieces(plan.smallest_batch(), recipe.micro_batch);
    let smallest = pieces.iter().map(|piece| piece.len()).min().unwrap_or(0) as i64;
    let (channels, side) = (recipe.model.in_channels, i64::from(recipe.data.size_px));
    Ok(learner.model.check_input(&[smallest, channels, side, side], Mode::TRAIN)?)
}

/// Whether `test.json` is of this recipe and data, and of as many steps as are asked for.
fn already_done(job: &Job, steps_target: u64) -> Result<bool, TrainError> {
    let Some(test) = record::read_test(job.folder)? else { return Ok(false) };
    let done = test.recipe_hash == job.recipe.hash() && test.covers(steps_target);
    Ok(done && test.is_of(job.folder, &job.dataset.split_record())?)
}

fn take_folder(folder: &Path) -> Result<Lock, TrainError> {
    fs::create_dir_all(folder).map_err(|error| TrainError::Folder {
        path: folder.to_path_buf(),
        reason: format!("cannot be made ({error})"),
    })?;
    Lock::take(folder)
}

pub(crate) fn beginning() -> State {
    State {
        step: 0,
        epochs: Vec::new(),
        tally: Tally::default(),
        recipe_hash: String::new(),
        data_digest: String::new(),
        packing: None,
        threads: 0,
        device: String::new(),
        world_size: 0,
        deterministic: false,
        steps_per_epoch: 0,
        recipe: None,
        processor: String::new(),
        libtorch: String::new(),
    }
}

/// The state with what this process computes by, on what and with.
fn as_of_now(job: &Job, state: State) -> State {
    State {
        recipe_hash: job.recipe.hash(),
        data_digest: job.dataset.digest.clone(),
        packing: job.dataset.packing(),
        threads: cpu::threads() as u32,
        device: computing_on(job.device),
        world_size: WORLD_SIZE,
        deterministic: determinism::is_required(),
        recipe: Some(Box::new(job.recipe.clone())),
        processor: processor(job.device),
        libtorch: libtorch_version(),
        ..state
    }
}

fn write_records(job: &Job, place: Option<&Place>) -> Result<(), TrainError> {
    write_atomic(&job.folder.join(RECIPE_FILE), job.recipe.to_json_pretty().as_bytes())?;
    record::write_split(job.folder, job.dataset)?;
    write_environment(job, place)
}

/// All of the validation part, or the first `validation_steps` batches' worth of it in an order
/// that depends on the split alone: the same pictures in every epoch, arm and seed.
pub(crate) fn validation_pictures(recipe: &Recipe, dataset: &Dataset) -> Vec<u32> {
    let part = &dataset.split.val;
    let Some(steps) = recipe.validation_steps else {
        return part.clone();
    };
    let most = u64::from(steps) * u64::from(recipe.batch);
    let order = order::shuffled(recipe.data.split.seed, 0, part.len());
    let mut pictures: Vec<u32> = order.iter().map(|at| part[*at as usize]).collect();
    pictures.truncate(usize::try_from(most).unwrap_or(usize::MAX));
    pictures.sort_unstable();
    pictures
}

fn data_event(job: &Job) -> Event {
    let dataset = job.dataset;
    Event::Data {
        digest: dataset.digest.clone(),
        classes: dataset.classes.clone(),
        train: dataset.split.train.len() as u64,
        train_left_out: dataset.split.train_left_out as u64,
        val: dataset.split.val.len() as u64,
        test: dataset.split.test.len() as u64,
        rejected: dataset.rejected.len() as u64,
        drawings: dataset.drawings,
    }
}
