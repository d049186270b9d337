//! Runs the real program on drawings: a study from end to end, stopped and gone on with, and every
//! refusal with its message and exit code. The experiment `smoke` is small enough for that.

mod it {
    mod chromium;
    mod disks;
    mod factorial;
    mod faults;
    mod grey;
    mod heap;
    mod kills;
    mod rates;
    mod refusals;
    mod resume;
    mod serve;
    mod stops;
    mod study;
    mod support;
    mod transfer;
}
