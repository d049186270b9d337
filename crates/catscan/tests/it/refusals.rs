//! Bad input: one clear message, the exit code of its kind, and nothing half made.

use std::fs;
use std::path::Path;

use catscan_models::densenet::{DENSENET_MINI, DenseNetConfig};
use catscan_models::{Model, ModelConfig, Shape};

use super::support::run;

/// A command line, the exit code, and words that the message must hold.
type Case = (&'static str, i32, &'static [&'static str]);

const CASES: &[Case] = &[
    ("experiment pooling-compar", 2, &["nearest is pooling-compare"]),
    ("experiment smoke --arms maxx", 2, &["arm maxx", "nearest is max"]),
    ("experiment smoke --arms avg,avg", 2, &["avg is named twice"]),
    ("experiment smoke --data crittrs", 2, &["crittrs", "nearest is critters"]),
    ("experiment smoke --data folder:no/such", 2, &["no/such"]),
    ("experiment smoke --data folder:one-class", 2, &["holds 1 class folders, want at least 2"]),
    ("experiment smoke --data mnist:empty-folder", 2, &["train-images-idx3-ubyte"]),
    ("experiment smoke --data cifar10:empty-folder", 2, &["test_batch.bin", "tar.gz"]),
    ("experiment smoke --data folder:empty-class", 3, &["dog", "0 pictures"]),
    ("experiment smoke --data folder:bad-picture", 3, &["web.jpg", "--bad-images skip"]),
    ("experiment smoke --data csv:escape.csv", 3, &["escape.csv: line 2: ../../etc/passwd leads"]),
    ("experiment smoke --data csv:absolute.csv", 3, &["line 2: /etc/passwd leads out"]),
    ("experiment smoke --data shards:evil.tar", 3, &["\"../evil.jpg\" leads out of the archive"]),
    ("experiment smoke --data folder:bomb", 3, &["100000 x 100000 = 10000 million pixels"]),
    ("experiment smoke --profile quik", 2, &["quik", "quick"]),
    ("experiment smoke --epochs 0", 2, &["epochs is 0"]),
    ("experiment smoke --size 0", 2, &["size_px", "0"]),
    ("experiment smoke --seeds 0", 2, &["want 1 to 1000"]),
    ("experiment smoke --max-steps 0", 2, &["--max-steps"]),
    ("experiment smoke --jobs 0", 2, &["--jobs"]),
    ("experiment smoke --device gpu", 2, &["want auto, cpu, cuda or cuda:N"]),
    ("experiment smoke --runs file", 2, &["cannot be written", "--runs"]),
    ("experiment smoke --recipe no.json", 2, &["no.json"]),
    ("experiment smoke --recipe unknown-key.json", 2, &["unknown-key.json", "batches"]),
    ("experiment smoke --recipe bad-lr.json", 2, &["optimizer.adam.lr", "-1"]),
    ("experiment smoke --recipe grey.json", 2, &["model.in_channels is 3, want 1", "grey"]),
    ("experiment smoke --recipe bad-model.json", 2, &["nearest is densenet121"]),
    ("experiment mnist-compare", 2, &["drawings cannot answer it", "--data mnist:PATH"]),
    ("experiment mnist-compar", 2, &["nearest is mnist-compare"]),
    ("experiment degradation --arms resnet-20", 2, &["nearest is resnet20"]),
    ("experiment preactivation --factorial", 2, &["has no factorial", "pooling-compare"]),
    ("experiment smoke --factorial --arms avg", 2, &["--factorial", "--arms"]),
    ("summary densenet12", 2, &["nearest is densenet121"]),
    ("summary densenet121 --size 20", 2, &["20×20 px, want at least 29×29"]),
    ("summary mnist-resnet --size 3", 2, &["3×3 px, want at least 4×4"]),
    ("train", 2, &["--recipe FILE"]),
    ("train --recipe no-pictures.json", 2, &["batch is 0, want a whole number from 2"]),
    ("train --recipe five.json", 2, &["five.json: model.outputs is 5, want 1 for 2 classes"]),
    ("find-lr --recipe five.json", 2, &["model.outputs is 5, want 1 for 2 classes"]),
    ("experiment smoke --recipe five.json", 2, &["model.outputs is 5, want 1 for 2 classes"]),
    ("experiment preactivation --recipe five.json", 2, &["is densenet-mini", "resnet20, resnet32"]),
    ("experiment residual-vs-dense --recipe five.json", 2, &["one of resnet20, resnet56"]),
    ("experiment degradation --recipe max.json", 2, &["model.pooling", "arm plain20 brings"]),
    ("train --recipe huge-lr.json", 2, &["optimizer.adam.lr is ", "at most 1e24"]),
    ("train --recipe wild.json", 2, &["wild.json", "expected value"]),
    ("train --experiment smoke --arm avg --out file", 2, &["file: cannot be made"]),
    ("train --experiment smoke --arm avg --keep 0", 2, &["--keep"]),
    ("train --experiment smoke --arm avg --on-save-error ignore", 2, &["stop, warn"]),
    ("train --experiment smoke --arm avg --resume no/step-1", 4, &["no/step-1: ", "manifest"]),
    ("train --experiment smoke --arm avg --weights pickle.safetensors", 2, &["torch.load"]),
    ("train --experiment mnist-compare --arm mnist-resnet", 2, &["--data mnist:PATH"]),
    ("train --experiment smoke --arm avg --json", 2, &["--dry-run"]),
    ("train --experiment smoke --arm avg --dry-run --events", 2, &["--dry-run", "--events"]),
    ("find-lr", 2, &["find-lr: got no recipe, want --recipe FILE"]),
    ("find-lr --experiment smoke --arm avg --out file", 2, &["cannot be written", "--out"]),
    ("find-lr --experiment smoke --arm avg --threads 0", 2, &["--threads", "1..=1024"]),
    ("train --experiment smoke --arm avg --threads 100000", 2, &["--threads", "1..=1024"]),
    ("find-lr --experiment smoke --arm avg --steps 3", 2, &["steps is 3, want 10 or more"]),
    ("find-lr --experiment smoke --arm avg --from 1 --to 0.1", 2, &["to is 0.1, want a finite"]),
    ("train --experiment smoke --arm mux", 2, &["arm mux", "nearest is max"]),
    ("train --experiment smoke --arm avg --replace-head", 2, &["--weights"]),
    ("train --experiment smoke --arm avg --weights no.safetensors", 2, &["no.safetensors"]),
    ("train --experiment smoke --arm avg --weights pickle.pth", 2, &["convert it: python3"]),
    ("train --experiment smoke --arm avg --weights three.safetensors", 4, &["--replace-head"]),
    ("train --experiment smoke --arm avg --freeze feature.*", 2, &["nearest", "features."]),
    ("evaluate --weights no-such-run", 2, &["no-such-run"]),
    ("evaluate --weights empty-folder", 2, &["recipe.json"]),
    ("evaluate --weights pickle.pth --model densenet-mini", 2, &["safetensors", "pickle"]),
    ("evaluate --weights three.safetensors", 2, &["--model NAME"]),
    ("evaluate --weights bare.safetensors --model densenet-mini", 4, &["classifier.weight"]),
    (
        "evaluate --weights three.safetensors --model densenet-mini --outputs 1",
        2,
        &["its outputs is 3, as the file says, and the command line says 1"],
    ),
    ("evaluate --weights three.safetensors --model densnet-mini", 2, &["nearest is densenet-mini"]),
    (
        "predict no.jpg --weights three.safetensors --model densenet-mini --outputs 3",
        2,
        &["no.jpg"],
    ),
    (
        "predict bad-picture/cat/web.jpg --weights three.safetensors --model densenet-mini \
         --outputs 3",
        3,
        &["1 of 1 pictures cannot be used"],
    ),
    (
        "predict bad-picture/cat/0.png --weights nan.safetensors --model densenet-mini --outputs 3",
        5,
        &["1 of 1 pictures got no answer", "catscan evaluate"],
    ),
    (
        "explain bad-picture/cat/0.png --weights nan.safetensors --model densenet-mini --outputs 3",
        5,
        &["NaN or infinite"],
    ),
    ("evaluate --weights bare.safetensors --recipe growth.json", 2, &["growth", "1 to 65536"]),
    ("evaluate --weights bare.safetensors --recipe wide.json", 2, &["this machine has"]),
    ("train --recipe wide.json --dry-run", 2, &["this machine has"]),
    ("experiment smoke --recipe wide.json --dry-run", 2, &["this machine has"]),
    ("train --recipe blocks.json --dry-run", 2, &["blocks", "10000"]),
    ("experiment residual-vs-dense --size 3 --dry-run", 2, &["3×3 px, want at least"]),
    ("explain no.jpg --weights three.safetensors --threshold 1", 2, &["0 to below 1"]),
    ("report no-such-folder", 2, &["no-such-folder"]),
    ("report empty-folder", 2, &["holds no runs"]),
    ("list poools", 2, &["pools"]),
    ("trian", 2, &["trian", "train"]),
    ("train --batch 3", 2, &["--batch"]),
    ("experiment", 2, &["<NAME>"]),
    ("predict no.jpg", 2, &["--weights"]),
];

#[test]
fn every_refusal_has_its_message_and_its_code() {
    let folder = tempfile::tempdir().unwrap();
    make_bad_input(folder.path());
    for (line, code, words) in CASES {
        let args: Vec<&str> = line.split(' ').collect();
        let said = run(&args, folder.path());
        assert_eq!(said.code, *code, "{line}\n{}", said.stderr);
        assert_eq!(said.stderr.matches("error:").count(), 1, "{line}\n{}", said.stderr);
        for word in *words {
            assert!(said.stderr.contains(word), "{line}: no {word:?} in\n{}", said.stderr);
        }
        for run in ["runs/smoke/avg", "runs/train/checkpoints"] {
            assert!(!folder.path().join(run).exists(), "{line} began a run");
        }
        let runs = folder.path().join("runs");
        assert!(*code != 2 || !runs.exists(), "{line} made a folder");
        let _ = fs::remove_dir_all(runs);
    }
}

#[test]
fn an_answer_that_is_no_number_is_a_problem_and_no_class() {
    let folder = tempfile::tempdir().unwrap();
    make_bad_input(folder.path());
    let line = "predict bad-picture/cat/0.png bad-picture/cat/web.jpg --weights nan.safetensors \
                --model densenet-mini --outputs 3 --json";
    let said = run(&line.split_whitespace().collect::<Vec<_>>(), folder.path());
    assert_eq!(said.code, 5, "{}", said.stderr);
    let told: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    for (told, words) in [(&told[0], "3 of 3 numbers"), (&told[1], "")] {
        assert!(told["class"].is_null() && told["probabilities"] == serde_json::json!([]));
        assert!(told["problem"].as_str().unwrap().contains(words), "{told}");
    }
}

fn make_bad_input(folder: &Path) {
    let picture = |path: &str| {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        image::RgbImage::new(9, 9).save(path).unwrap();
    };
    (0..6).for_each(|i| picture(&format!("empty-class/cat/{i}.png")));
    picture("one-class/cat/0.png");
    fs::create_dir_all(folder.join("empty-class/dog")).unwrap();
    for i in 0..6 {
        picture(&format!("bad-picture/cat/{i}.png"));
        picture(&format!("bad-picture/dog/{i}.png"));
    }
    fs::write(folder.join("bad-picture/cat/web.jpg"), "<html>404</html>").unwrap();
    fs::write(folder.join("file"), "x").unwrap();
    let first = "bad-picture/cat/0.png,cat\n";
    fs::write(folder.join("escape.csv"), format!("{first}../../etc/passwd,dog\n")).unwrap();
    fs::write(folder.join("absolute.csv"), format!("{first}/etc/passwd,dog\n")).unwrap();
    fs::write(folder.join("evil.tar"), evil_tar()).unwrap();
    for name in ["cat/0.png", "cat/1.png", "dog/0.png", "dog/1.png"] {
        picture(&format!("bomb/{name}"));
    }
    fs::write(folder.join("bomb/dog/bomb.png"), bomb()).unwrap();
    fs::create_dir_all(folder.join("empty-folder")).unwrap();
    let recipe = catscan::recipes::smoke().to_json_pretty();
    let bad = |name: &str, from: &str, to: &str| {
        assert!(recipe.contains(from), "{recipe}");
        fs::write(folder.join(name), recipe.replace(from, to)).unwrap();
    };
    bad("unknown-key.json", "\"batch\":", "\"batches\": 3, \"batch\":");
    bad("no-pictures.json", "\"batch\": 20", "\"batch\": 0");
    bad("wild.json", "\"lr\": ", "\"lr\": NaN ");
    bad("five.json", "\"outputs\": 1", "\"outputs\": 5");
    bad("max.json", "\"head\": \"avg\"", "\"head\": \"max\"");
    bad("huge-lr.json", "\"lr\": 0.001", "\"lr\": 1e39");
    bad("bad-lr.json", "\"lr\": 0.", "\"lr\": -1.");
    bad("grey.json", "\"colour\": \"rgb\"", "\"colour\": \"grey\"");
    bad("bad-model.json", "densenet-mini", "densenet-12");
    let shape = |growth: i64, blocks: &[i64]| {
        let shape = DenseNetConfig { growth, blocks: blocks.to_vec().into(), ..DENSENET_MINI };
        format!("\"shape\": {}", serde_json::to_string(&Shape::DenseNet(shape)).unwrap())
    };
    bad("growth.json", "\"shape\": null", &shape(i64::MAX, &[2; 4]));
    bad("blocks.json", "\"shape\": null", &shape(8, &[100_000_000; 4]));
    bad("wide.json", "\"shape\": null", &shape(65_536, &[100; 4]));
    // What torch.save begins with: a zip archive that holds a pickle.
    for name in ["pickle.pth", "pickle.safetensors"] {
        fs::write(folder.join(name), b"PK\x03\x04archive/data.pkl and more bytes").unwrap();
    }
    let model = ModelConfig { outputs: 3, ..catscan::recipes::smoke().model };
    let model = Model::build(&model, 1, tch::Device::Cpu).unwrap();
    model.weights().save(&folder.join("three.safetensors")).unwrap();
    // As others write it: without the network's configuration.
    let text = fs::read(folder.join("three.safetensors")).unwrap();
    let at = text.windows(13).position(|part| part == b"catscan.model").unwrap();
    let bare = [&text[..at], b"another.thing", &text[at + 13..]].concat();
    fs::write(folder.join("bare.safetensors"), bare).unwrap();
    let mut bias = model.weights().get("classifier.bias").unwrap().detach();
    let _ = bias.fill_(f64::NAN);
    model.weights().save(&folder.join("nan.safetensors")).unwrap();
}

/// One empty file called `../evil.jpg`: a header of 512 bytes (name, mode, size, time, checksum,
/// kind) and the end mark.
fn evil_tar() -> Vec<u8> {
    let mut header = [0; 512];
    let mut field = |at: usize, text: &[u8]| header[at..at + text.len()].copy_from_slice(text);
    field(0, b"../evil.jpg");
    field(100, b"0000644");
    field(124, b"00000000000");
    field(136, b"00000000000");
    field(148, b"        ");
    field(156, b"0");
    field(257, b"ustar  ");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    [&header[..], &[0; 1024]].concat()
}

/// A PNG whose header says 100,000 x 100,000 and which holds nothing.
fn bomb() -> Vec<u8> {
    let chunk = |kind: &[u8], data: &[u8]| {
        let body = [kind, data].concat();
        let bit = |crc: u32| if crc & 1 == 1 { 0xEDB8_8320 ^ (crc >> 1) } else { crc >> 1 };
        let byte = |crc: u32, byte: &u8| (0..8).fold(crc ^ u32::from(*byte), |crc, _| bit(crc));
        let sum = !body.iter().fold(!0, byte);
        [&(data.len() as u32).to_be_bytes()[..], &body, &sum.to_be_bytes()].concat()
    };
    let side = 100_000u32.to_be_bytes();
    let header = [&side[..], &side, &[8, 2, 0, 0, 0]].concat();
    let chunks = [chunk(b"IHDR", &header), chunk(b"IDAT", b""), chunk(b"IEND", b"")].concat();
    [b"\x89PNG\r\n\x1a\n".to_vec(), chunks].concat()
}
