/* SPDX-License-Identifier: Apache-2.0 */
import java.io.DataInputStream;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.KafkaShareConsumer;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.message.StreamsGroupHeartbeatRequestData;
import org.apache.kafka.common.message.StreamsGroupHeartbeatRequestData.Subtopology;
import org.apache.kafka.common.message.StreamsGroupHeartbeatRequestData.Topology;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.MessageUtil;
import org.apache.kafka.common.requests.RequestHeader;
import org.apache.kafka.common.requests.StreamsGroupHeartbeatResponse;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * Gives a broker a share group and a streams group, each with one member that comes, works and
 * leaves; and of each a second one that is deleted afterwards.
 */
public class Groups {
	static String bootstrap;

	static void share(String group) throws Exception {
		Map<String, Object> config = Map.of("bootstrap.servers", bootstrap, "group.id", group,
			"client.id", "share-client");
		try (var consumer = new KafkaShareConsumer<>(config, new ByteArrayDeserializer(),
				new ByteArrayDeserializer())) {
			consumer.subscribe(List.of("orders", "payments"));
			long limit = System.currentTimeMillis() + 8000;
			while (System.currentTimeMillis() < limit)
				consumer.poll(Duration.ofMillis(200));
		}
	}

	static StreamsGroupHeartbeatResponse call(Socket socket, StreamsGroupHeartbeatRequestData data)
			throws Exception {
		short version = ApiKeys.STREAMS_GROUP_HEARTBEAT.latestVersion();
		var header = new RequestHeader(ApiKeys.STREAMS_GROUP_HEARTBEAT, version, "streams-client", 1);
		ByteBuffer head = MessageUtil.toByteBufferAccessor(header.data(), header.headerVersion()).buffer();
		ByteBuffer body = MessageUtil.toByteBufferAccessor(data, version).buffer();
		var request = ByteBuffer.allocate(4 + head.remaining() + body.remaining());
		request.putInt(head.remaining() + body.remaining()).put(head).put(body);
		socket.getOutputStream().write(request.array());
		var in = new DataInputStream(socket.getInputStream());
		byte[] answer = in.readNBytes(in.readInt());
		var buffer = ByteBuffer.wrap(answer, 5, answer.length - 5); /* correlation id and no tags */
		var response = StreamsGroupHeartbeatResponse.parse(new ByteBufferAccessor(buffer), version);
		if (response.data().errorCode() != 0)
			throw new Exception(response.data().errorCode() + " " + response.data().errorMessage());
		return response;
	}

	static StreamsGroupHeartbeatRequestData heartbeat(String group, String member, int epoch) {
		return new StreamsGroupHeartbeatRequestData().setGroupId(group).setMemberId(member)
			.setMemberEpoch(epoch).setProcessId("process").setRebalanceTimeoutMs(10000);
	}

	static void streams(String group) throws Exception {
		String member = Uuid.randomUuid().toString();
		String[] address = bootstrap.split(":");
		try (var socket = new Socket(address[0], Integer.parseInt(address[1]))) {
			var topology = new Topology().setEpoch(1).setSubtopologies(List.of(
				new Subtopology().setSubtopologyId("0").setSourceTopics(List.of("orders"))));
			int epoch = call(socket, heartbeat(group, member, 0).setTopology(topology)
				.setActiveTasks(List.of()).setStandbyTasks(List.of()).setWarmupTasks(List.of())
				.setClientTags(List.of())).data().memberEpoch();
			for (int i = 0; i < 8; i++) {
				Thread.sleep(500);
				epoch = call(socket, heartbeat(group, member, epoch)).data().memberEpoch();
			}
			call(socket, heartbeat(group, member, -1));
		}
	}

	public static void main(String[] args) throws Exception {
		bootstrap = args[0];
		share("shared");
		share("deleted-shared");
		streams("streaming");
		streams("deleted-streaming");
		try (var admin = Admin.create(Map.of("bootstrap.servers", (Object) bootstrap))) {
			admin.deleteShareGroups(Set.of("deleted-shared")).all().get();
			admin.deleteStreamsGroups(Set.of("deleted-streaming")).all().get();
		}
	}
}
