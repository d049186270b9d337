//! FETCHABLE: which public sets can be fetched, from where, and how their files are known.

/// One file of a set.
#[derive(Clone, Copy, Debug)]
pub struct RemoteFile {
    /// What it is called on disk, and in a mirror.
    pub name: &'static str,
    /// Where it is published.
    pub url: &'static str,
    /// Its length.
    pub bytes: u64,
    /// 64 hexadecimal digits.
    pub sha256: &'static str,
}

/// A row of FETCHABLE.
#[derive(Clone, Copy, Debug)]
pub struct Fetchable {
    /// A row of [`crate::SOURCES`].
    pub name: &'static str,
    /// Whose it is and on what terms, in a sentence.
    pub terms: &'static str,
    /// In the order in which they are fetched.
    pub files: &'static [RemoteFile],
    /// What the source is given: the folder, or this file in it.
    pub open: Option<&'static str>,
}

macro_rules! file {
    ($base:literal, $name:literal, $bytes:literal, $sha256:literal) => {
        RemoteFile { name: $name, url: concat!($base, $name), bytes: $bytes, sha256: $sha256 }
    };
}

/// Sizes and hashes are those that several public projects pin for the same files.
pub static FETCHABLE: &[Fetchable] = &[
    Fetchable {
        name: "cats-vs-dogs",
        terms: "Asirra, by Microsoft Research and Petfinder, for research; 25,000 photographs",
        open: Some("kagglecatsanddogs_5340.zip"),
        files: &[file!(
            "https://download.microsoft.com/download/3/E/1/3E1C3F21-ECDB-4869-8368-6DEBA77B919F/",
            "kagglecatsanddogs_5340.zip",
            824_887_076,
            "b7974bd00a84a99921f36ee4403f089853777b5ae8d151c76a86e64900334af9"
        )],
    },
    Fetchable {
        name: "mnist",
        terms: "LeCun, Cortes and Burges 1998, CC BY-SA 3.0; 70,000 digits",
        open: None,
        files: &[
            file!(
                "https://storage.googleapis.com/cvdf-datasets/mnist/",
                "train-images-idx3-ubyte.gz",
                9_912_422,
                "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"
            ),
            file!(
                "https://storage.googleapis.com/cvdf-datasets/mnist/",
                "train-labels-idx1-ubyte.gz",
                28_881,
                "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"
            ),
            file!(
                "https://storage.googleapis.com/cvdf-datasets/mnist/",
                "t10k-images-idx3-ubyte.gz",
                1_648_877,
                "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"
            ),
            file!(
                "https://storage.googleapis.com/cvdf-datasets/mnist/",
                "t10k-labels-idx1-ubyte.gz",
                4_542,
                "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"
            ),
        ],
    },
    Fetchable {
        name: "fashion-mnist",
        terms: "Xiao, Rasul and Vollgraf 2017, MIT; 70,000 pieces of clothing",
        open: None,
        files: &[
            file!(
                "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
                "train-images-idx3-ubyte.gz",
                26_421_880,
                "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"
            ),
            file!(
                "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
                "train-labels-idx1-ubyte.gz",
                29_515,
                "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"
            ),
            file!(
                "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
                "t10k-images-idx3-ubyte.gz",
                4_422_102,
                "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"
            ),
            file!(
                "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
                "t10k-labels-idx1-ubyte.gz",
                5_148,
                "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"
            ),
        ],
    },
    Fetchable {
        name: "cifar10",
        terms: "Krizhevsky 2009; 60,000 pictures of 32 px",
        open: Some("cifar-10-binary.tar.gz"),
        files: &[file!(
            "https://www.cs.toronto.edu/~kriz/",
            "cifar-10-binary.tar.gz",
            170_052_171,
            "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"
        )],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_a_source_and_every_hash_is_one() {
        for set in FETCHABLE {
            assert!(crate::SOURCES.iter().any(|row| row.name == set.name), "{}", set.name);
            for file in set.files {
                assert!(file.url.ends_with(file.name) && file.bytes > 0);
                assert_eq!(file.sha256.len(), 64);
                assert!(file.sha256.bytes().all(|b| b.is_ascii_hexdigit()), "{}", file.name);
            }
            assert!(set.open.is_none_or(|open| set.files.iter().any(|file| file.name == open)));
        }
    }
}
