/* SPDX-License-Identifier: Apache-2.0 */
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * Groups of the consumer protocol (KIP-848) by the client of the broker's own version: that of
 * Kafka 3.9 speaks a first form of it, which other clients no longer do. Each group has one
 * member, which commits and leaves; the second group is deleted.
 */
public class Modern {
	static void consume(String bootstrap, String group, String client) {
		Map<String, Object> config = Map.of("bootstrap.servers", bootstrap, "group.id", group,
			"client.id", client, "group.protocol", "consumer", "enable.auto.commit", "false",
			"auto.offset.reset", "earliest");
		try (var consumer = new KafkaConsumer<>(config, new ByteArrayDeserializer(),
				new ByteArrayDeserializer())) {
			consumer.subscribe(List.of("orders", "payments"));
			long limit = System.currentTimeMillis() + 30000;
			for (int read = 0; read < 50 && System.currentTimeMillis() < limit;)
				read += consumer.poll(Duration.ofMillis(200)).count();
			consumer.commitSync();
		}
	}

	public static void main(String[] args) throws Exception {
		consume(args[0], "modern", "new-a");
		consume(args[0], "deleted-modern", "newgone-a");
		try (var admin = Admin.create(Map.of("bootstrap.servers", (Object) args[0]))) {
			admin.deleteConsumerGroups(List.of("deleted-modern")).all().get();
		}
	}
}
