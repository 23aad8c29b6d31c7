//! Gives the library that cargo links its soname, so that programs linked with it look for
//! `libxbkit.so.0`. Symbol versions come with `link.sh`: rustc passes a version script of its own.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libxbkit.so.0");
}
