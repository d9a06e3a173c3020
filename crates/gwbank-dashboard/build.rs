fn main() {
    // A file that is new there is not seen otherwise.
    println!("cargo:rerun-if-changed=built");
}
