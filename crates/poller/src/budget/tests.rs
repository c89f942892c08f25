//! The budget in figures, under paused time.

use super::*;

fn request(operation: &str) -> ApiRequest<'_> {
    ApiRequest {
        account: "111122223333",
        region: "eu-west-1",
        operation,
    }
}

/// How many requests of a greedy caller leave in `seconds`.
async fn sent_in(budget: &ApiBudget, operation: &str, seconds: u64) -> u32 {
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut sent = 0;
    while tokio::time::timeout_at(end, budget.acquire(request(operation)))
        .await
        .is_ok()
    {
        sent += 1;
    }
    sent
}

#[tokio::test(start_paused = true)]
async fn a_tenth_of_the_quota_leaves() {
    for (operation, a_minute) in [
        ("kms:DescribeKey", 600),
        ("kms:GetKeyRotationStatus", 180),
        ("kms:GetKeyPolicy", 180),
        ("cloudtrail:LookupEvents", 60),
        ("cloudtrail:GetEventSelectors", 60),
    ] {
        let sent = sent_in(&ApiBudget::new(BudgetSettings::default()), operation, 60).await;
        // tokio's timers round up to a millisecond, which costs a little of the faster rates; never the other way.
        let least = a_minute - a_minute / 50;
        assert!(
            (least..=a_minute + 1).contains(&sent),
            "{operation}: {sent} of {a_minute}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn all_callers_together_keep_the_rate() {
    let budget = Arc::new(ApiBudget::new(BudgetSettings::default()));
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let budget = Arc::clone(&budget);
        callers.spawn(async move { sent_in(&budget, "kms:DescribeKey", 10).await });
    }
    let sent: u32 = callers.join_all().await.into_iter().sum();
    assert!((98..=101).contains(&sent), "{sent}");
}

#[tokio::test(start_paused = true)]
async fn accounts_regions_and_operations_do_not_share() {
    let budget = ApiBudget::new(BudgetSettings::default());
    let start = Instant::now();
    for account in ["a", "b"] {
        for region in ["eu-west-1", "eu-west-2"] {
            for operation in ["kms:ListKeys", "kms:GetKeyPolicy"] {
                let request = ApiRequest {
                    account,
                    region,
                    operation,
                };
                budget.acquire(request).await;
            }
        }
    }
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn throttling_halves_and_recovers_slowly() {
    let budget = ApiBudget::new(BudgetSettings::default());
    let asked = request("kms:DescribeKey");
    let check = |expected: f64, why: &str| {
        let rate = budget.rate(asked);
        assert!((rate - expected).abs() < 1e-9, "{why}: {rate}");
    };
    check(10.0, "full");
    budget.throttled(asked);
    check(5.0, "halved");
    budget.throttled(asked);
    check(5.0, "the same moment counts once");
    tokio::time::advance(Duration::from_secs(2)).await;
    budget.throttled(asked);
    check(2.5, "halved again");
    tokio::time::advance(Duration::from_secs(10)).await;
    check(3.0, "a twentieth of the full rate in ten seconds");
    tokio::time::advance(Duration::from_secs(140)).await;
    check(10.0, "recovered");
    let used = budget.usage();
    assert_eq!(used.len(), 1);
    assert_eq!(
        (used[0].operation.as_str(), used[0].throttled),
        ("kms:DescribeKey", 3)
    );
}

#[tokio::test(start_paused = true)]
async fn a_storm_of_throttling_settles_and_never_stops() {
    let budget = ApiBudget::new(BudgetSettings::default());
    let end = Instant::now() + Duration::from_secs(3_600);
    let mut sent = 0;
    while tokio::time::timeout_at(end, budget.acquire(request("kms:DescribeKey")))
        .await
        .is_ok()
    {
        sent += 1;
        // Nine of ten answers are throttled.
        if sent % 10 != 0 {
            budget.throttled(request("kms:DescribeKey"));
        }
    }
    // The full rate would be 36,000 in that hour.
    assert!((500..4_000).contains(&sent), "{sent}");
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_gives_up_takes_no_token() {
    let budget = ApiBudget::new(BudgetSettings::default());
    let asked = request("cloudtrail:LookupEvents");
    budget.acquire(asked).await;
    let gave_up = tokio::time::timeout(Duration::from_millis(500), budget.acquire(asked)).await;
    assert!(gave_up.is_err());
    let start = Instant::now();
    budget.acquire(asked).await;
    assert_eq!(start.elapsed(), Duration::from_millis(500));
}

#[tokio::test(start_paused = true)]
async fn a_share_and_quotas_can_be_configured() {
    let budget = ApiBudget::new(BudgetSettings {
        share: 0.5,
        quotas: HashMap::from([("kms:ListKeys".to_owned(), Quota::Shared(4.0))]),
    });
    let start = Instant::now();
    for _ in 0..5 {
        budget.acquire(request("kms:ListKeys")).await;
    }
    assert_eq!(start.elapsed(), Duration::from_secs(2));
    assert!((budget.rate(request("kms:DescribeKey")) - 50.0).abs() < 1e-9);
}
