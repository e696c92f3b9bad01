//! The images of others that the stack and `deploy/Dockerfile` name: taken where they are there, else pulled, else stand-ins
//! built from Debian's packages.

use std::collections::BTreeSet;
use std::process::Command;

use anyhow::{Context, Result};

use super::engine::{Engine, printed};
use crate::{deployment, workspace};

/// Services that the tests leave out.
const LEFT_OUT: &str = "grafana/";

/// Makes sure that each is there; `say` hears of what takes minutes.
pub(super) fn ensure(engine: &Engine, say: &dyn Fn(&str)) -> Result<()> {
    let mut missing = missing(engine)?;
    if missing.is_empty() {
        return Ok(());
    }
    say(&format!("{} images are missing: pulling", missing.len()));
    // A registry that cannot be reached once is not asked again.
    while let Some(image) = missing.first() {
        if engine.docker(&["pull", "--quiet", image]).is_err() {
            break;
        }
        missing.remove(0);
    }
    if !missing.is_empty() {
        say(&format!("no registry has {}: building {} from Debian's packages (minutes)", missing[0], missing.len()));
        printed(&mut Command::new(deployment::path("images/from-debian/build")))
            .context("the stand-ins of the official images were not built")?;
    }
    Ok(())
}

fn missing(engine: &Engine) -> Result<Vec<String>> {
    let compose = std::fs::read_to_string(workspace::root().join("docker-compose.yml"))?;
    let build = deployment::text("Dockerfile")?;
    let used = compose.lines().filter_map(|line| line.trim().strip_prefix("image: "));
    let built_on = build.lines().filter_map(|line| line.strip_prefix("FROM ")?.split(' ').next());
    // Our own image is named by a variable.
    let others = used.chain(built_on).filter(|image| !image.contains('$') && !image.starts_with(LEFT_OUT));
    let others: BTreeSet<&str> = others.collect();
    let there = engine.docker(&["image", "ls", "--format", "{{.Repository}}:{{.Tag}}"])?;
    let there: BTreeSet<&str> = there.lines().collect();
    Ok(others.difference(&there).map(|image| (*image).to_owned()).collect())
}
