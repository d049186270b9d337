//! Runs the real program on drawings: a study from end to end, stopped and gone on with, and every
//! refusal with its message and exit code. The experiment `smoke` is small enough for that.

mod it {
    mod audit;
    mod checkpoints;
    mod chromium;
    mod data_faults;
    mod disks;
    mod experiments;
    mod explain;
    mod factorial;
    mod faults;
    mod fetched;
    mod fetching;
    mod grey;
    mod heap;
    mod kills;
    mod own_masks;
    mod packing;
    mod rates;
    mod refusals;
    mod report_page;
    mod resume;
    mod serve;
    mod stops;
    mod study;
    mod support;
    mod terminal;
    mod transfer;
}
