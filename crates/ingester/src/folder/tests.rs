//! The watched folder under paused time.

use keyvigil_model::batch::QuarantineReason;

use super::*;
use crate::clock::TokioClock;
use crate::fakes::{Life, START, Words, World};
use crate::files::tests::Folder;

fn settings(folder: &Folder) -> FolderSettings {
    FolderSettings {
        source: SourceId::from("folder"),
        provider: Provider::Aws,
        path: folder.0.clone(),
        every: Duration::from_secs(3),
        bytes: ByteBudget::default(),
    }
}

fn start(world: &World, folder: &Folder) -> (Life, tokio::task::JoinHandle<()>) {
    let life = world.live(TokioClock::starting_at(START));
    let running = tokio::spawn(run(Arc::new(Words), settings(folder), life.driver.clone()));
    (life, running)
}

async fn stop(life: Life, running: tokio::task::JoinHandle<()>) {
    life.stop.send(true).unwrap();
    running.await.unwrap();
}

async fn scans(count: u32) {
    tokio::time::sleep(Duration::from_secs(3) * count).await;
}

#[tokio::test(start_paused = true)]
async fn files_are_read_once_they_are_stable() {
    let folder = Folder::new("watched");
    let world = World::default();
    let (life, running) = start(&world, &folder);
    scans(1).await;
    folder.write("sub/a.json", b"1 2");
    scans(1).await;
    folder.write("sub/a.json", b"1 2 3 4");
    scans(1).await;
    assert!(world.seen().is_empty(), "it was still growing");
    scans(3).await;
    assert_eq!(world.seen(), ["1", "2", "3", "4"]);
    folder.write("sub/a.json", b"1 2 3 4 5");
    folder.write("b.json", b"junk 6");
    scans(4).await;
    assert_eq!(world.seen(), ["1", "2", "3", "4", "5", "6"]);
    assert_eq!(world.reasons(), [QuarantineReason::NotJson]);
    scans(20).await;
    assert_eq!(life.metrics.objects.get(), 3, "what is finished is left alone");
    stop(life, running).await;

    let (life, running) = start(&world, &folder);
    scans(4).await;
    assert_eq!(
        (life.metrics.objects.get(), life.metrics.objects_known.get()),
        (0, 2)
    );
    assert_eq!(world.reasons().len(), 1, "known after a restart too");
    stop(life, running).await;
}

#[tokio::test(start_paused = true)]
async fn a_folder_that_comes_late_and_a_file_that_kills_are_survived() {
    let folder = Folder::new("late");
    let world = World::default();
    std::fs::remove_dir_all(&folder.0).unwrap();
    let (life, running) = start(&world, &folder);
    scans(3).await;
    folder.write("a.json", b"boom");
    folder.write("b.json", b"1");
    scans(12).await;
    assert_eq!(world.seen(), ["1"]);
    assert_eq!(world.reasons(), [QuarantineReason::Poison]);
    folder.write("a.json", b"2 3");
    scans(4).await;
    assert_eq!(
        world.seen(),
        ["1", "2", "3"],
        "what replaces a bad file is another file"
    );
    stop(life, running).await;
}
