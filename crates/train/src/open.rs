//! Opening a run: everything that can be refused is refused here, the cheapest first and before
//! anything is written; then the folder is taken and the place to go on from is found.

use std::fs;
use std::path::Path;

use crate::checkpoint::State;
use crate::error::TrainError;
use crate::event::{Event, Watch};
use crate::lock::Lock;
use crate::pace::Pace;
use crate::record::{self, RECIPE_FILE};
use crate::resume::{ResumePoint, find_place, go_on_from, refuse_other_run, write_environment};
use crate::room::check_room;
use crate::run::{Ledger, Opened, Run};
use crate::setup::{Setup, wrong};
use crate::storage::{remove_leftovers, write_atomic};
use crate::train::Job;

impl<'a> Run<'a> {
    pub fn open(job: &'a Job<'a>, watch: &mut dyn Watch) -> Result<Opened<'a>, TrainError> {
        check(job)?;
        let setup = Setup::of(job.recipe, job.dataset, job.device)?;
        let steps_total = setup.steps_total();
        let steps_target = job.max_steps.map_or(steps_total, |most| most.min(steps_total));
        if job.resume.is_none() && already_done(job, steps_target)? {
            return Ok(Opened::AlreadyDone);
        }
        let (mut learner, loaded) = setup.learner()?;

        watch.on_event(&data_event(job));
        let lock = take_folder(job.folder)?;
        refuse_other_run(job)?;
        remove_leftovers(job.folder).map_err(|error| TrainError::storage(job.folder, 0, error))?;
        let place = find_place(job, setup.steps_per_epoch(), watch)?;
        let resumed_from = place.as_ref().map(|place| place.state.step);
        check_room(job, learner.checkpoint_bytes(), resumed_from.unwrap_or(0), watch)?;

        let mut state = State::begin(&setup);
        match &place {
            Some(place) => {
                learner.restore(&place.path, job.device)?;
                let State { step, epochs, tally, .. } = place.state.clone();
                state = State { step, epochs, tally, ..state };
            }
            None => loaded.iter().for_each(|event| watch.on_event(event)),
        }
        go_on_from(job, place.as_ref(), watch)?;
        write_records(job, place.as_ref())?;
        let ledger = Ledger::restart(job.folder, &state.epochs)?;
        watch.on_event(&Event::Started {
            parameters: learner.numbers() as u64,
            frozen: learner.frozen() as u64,
            steps_total,
            steps_target,
            epochs: job.recipe.epochs,
            resumed_from,
        });
        let validation = setup.validation();
        Ok(Opened::Run(Box::new(Run {
            job,
            setup,
            learner,
            state,
            steps_target,
            validation,
            ledger,
            pace: Pace::default(),
            gradient: None,
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
    Ok(())
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

fn write_records(job: &Job, place: Option<&ResumePoint>) -> Result<(), TrainError> {
    write_atomic(&job.folder.join(RECIPE_FILE), job.recipe.to_json_pretty().as_bytes())?;
    record::write_split(job.folder, job.dataset)?;
    write_environment(job, place)
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
