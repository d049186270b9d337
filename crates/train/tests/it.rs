//! The crate from outside: whole runs on drawings of 32 px, broken in every way a run can break.

#[path = "it/back.rs"]
mod back;
#[path = "it/common.rs"]
mod common;
#[path = "it/deferred.rs"]
mod deferred;
#[path = "it/faults.rs"]
mod faults;
#[path = "it/goldens.rs"]
mod goldens;
#[path = "it/gradients.rs"]
mod gradients;
#[path = "it/inexact.rs"]
mod inexact;
#[path = "it/killed.rs"]
mod killed;
#[path = "it/records.rs"]
mod records;
#[path = "it/refinements.rs"]
mod refinements;
#[path = "it/resume.rs"]
mod resume;
#[path = "../src/testing.rs"]
mod testing;
#[path = "it/transfer.rs"]
mod transfer;
#[path = "it/unsaved.rs"]
mod unsaved;
