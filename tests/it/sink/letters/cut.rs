//! The connection is cut while a delivery is parked.

use super::*;
use crate::support::database::{Place, on_each_server};
use crate::support::proxy::{At, Cut, Proxy, Through};

on_each_server!(fault_s12_a_cut_at_any_packet_leaves_no_acknowledged_delivery_unparked);

async fn fault_s12_a_cut_at_any_packet_leaves_no_acknowledged_delivery_unparked(place: Place) {
    let db = place.pool(2).await;
    let direct = Desk::open(&db).await;
    let proxy = Proxy::start(&place).await;
    let brief = Duration::from_secs(2);
    let pool = proxy.place.pool_with(|options| options.max_connections(1).acquire_timeout(brief));
    let desk = Desk::open(&pool.await).await;
    for through in [Through::Nothing, Through::Half, Through::Request] {
        let mut packet = 1;
        loop {
            let id = format!("msg_{through:?}_{packet}");
            proxy.cut(Cut { at: At::Packet(packet), what: through });
            let status = desk.post(&id, &unusable()[0]).await.status();
            let cut = proxy.was_cut();
            let kept = direct.sink.parked_body(&id).await.unwrap().is_some();
            match status {
                204 => assert!(kept, "{id}: acknowledged and not there"),
                status => assert!(cut && status >= 500, "{id}: {status}"),
            }
            assert_eq!(desk.post(&id, &unusable()[0]).await.status(), 204, "{id}");
            assert!(direct.sink.parked_body(&id).await.unwrap().is_some(), "{id}");
            if !cut {
                break;
            }
            packet += 1;
        }
        assert!(packet > 5, "{packet} packets");
    }
}
