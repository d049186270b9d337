//! `--weights`, `--replace-head` and `--freeze`, from the command line to the record.

use super::support::succeed;

#[test]
fn a_training_begins_where_another_ended() {
    let folder = tempfile::tempdir().unwrap();
    let train = ["train", "--experiment", "smoke", "--arm", "avg", "--max-steps", "2"];
    succeed(&[&train[..], &["--out", "first"]].concat(), folder.path());
    let transfer = ["--weights", "first", "--replace-head", "--freeze", "features.*"];
    let said = succeed(&[&train[..], &transfer[..], &["--out", "second"]].concat(), folder.path());
    for words in [
        "tensors of first/checkpoints/step-2/weights.safetensors",
        "classifier.weight, classifier.bias at random, a fresh head",
        "33 parameters (and ",
    ] {
        assert!(said.stderr.contains(words), "no {words:?} in\n{}", said.stderr);
    }
    let checkpoint = ["--weights", "first/checkpoints/step-2", "--out", "third"];
    let said = succeed(&[&train[..], &checkpoint].concat(), folder.path());
    let words = "tensors of first/checkpoints/step-2/weights.safetensors";
    assert!(said.stderr.contains(words), "no {words:?} in\n{}", said.stderr);
    assert!(!said.stderr.contains("warning: "), "{}", said.stderr);
    let max = ["train", "--experiment", "smoke", "--arm", "max", "--max-steps", "1"];
    let weights = ["--weights", "first", "--out", "fourth"];
    let said = succeed(&[&max[..], &weights].concat(), folder.path());
    for words in
        ["warning: ", "its pooling was {", "\"transition\":\"avg\"", "that of the recipe is {"]
    {
        assert!(said.stderr.contains(words), "no {words:?} in\n{}", said.stderr);
    }
    let study = ["experiment", "smoke", "--max-steps", "1", "--seeds", "1", "--no-report"];
    let said = succeed(&[&study[..], &["--weights", "first"]].concat(), folder.path());
    assert!(said.stderr.contains("that of arm max is {"), "{}", said.stderr);
    assert!(!said.stderr.contains("that of arm avg is {"), "{}", said.stderr);
    let recipe = std::fs::read_to_string(folder.path().join("second/recipe.json")).unwrap();
    assert!(recipe.contains("\"head\": \"replace\""), "{recipe}");
    assert!(recipe.contains("\"features.*\""), "{recipe}");
}
