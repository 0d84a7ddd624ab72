"""Model, data and training: nothing here knows of Flower."""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from fedblocks.training.datasets import load_dataset


class Net(nn.Module):
    """A small convolutional network for grey images."""

    def __init__(self, size: int = 8):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, padding=1)
        self.norm1 = nn.BatchNorm2d(8)
        self.conv2 = nn.Conv2d(8, 16, 3, padding=1)
        self.pool = nn.MaxPool2d(2, 2)
        self.fc = nn.Linear(16 * (size // 4) ** 2, 10)

    def forward(self, x):
        x = self.pool(F.relu(self.norm1(self.conv1(x))))
        x = self.pool(F.relu(self.conv2(x)))
        return self.fc(torch.flatten(x, 1))


def load_data(name: str, partition_id: int, num_partitions: int, batch_size: int):
    """Every so many-th image for training, and of those a fifth for local tests."""
    data = load_dataset(name)
    part = TensorDataset(
        torch.from_numpy(data.train_x[partition_id::num_partitions]),
        torch.from_numpy(data.train_y[partition_id::num_partitions]),
    )
    cut = len(part) * 4 // 5
    train, test = torch.utils.data.random_split(part, [cut, len(part) - cut], torch.Generator().manual_seed(42))
    return DataLoader(train, batch_size=batch_size, shuffle=True), DataLoader(test, batch_size=batch_size)


def load_centralized_dataset(name: str):
    """The images that nobody trains on."""
    data = load_dataset(name)
    return DataLoader(TensorDataset(torch.from_numpy(data.test_x), torch.from_numpy(data.test_y)), batch_size=128)


def train(net, trainloader, epochs, lr, device):
    """Train the model on the training set."""
    net.to(device)
    optimizer = torch.optim.SGD(net.parameters(), lr=lr)
    net.train()
    running_loss = 0.0
    for _ in range(epochs):
        for images, labels in trainloader:
            optimizer.zero_grad()
            loss = F.cross_entropy(net(images.to(device)), labels.to(device))
            loss.backward()
            optimizer.step()
            running_loss += loss.item()
    return running_loss / len(trainloader) / epochs


def test(net, testloader, device):
    """Evaluate the model on the test set."""
    net.to(device)
    net.eval()
    correct, loss = 0, 0.0
    with torch.no_grad():
        for images, labels in testloader:
            outputs = net(images.to(device))
            loss += F.cross_entropy(outputs, labels.to(device)).item()
            correct += (outputs.argmax(dim=1).cpu() == labels).sum().item()
    return loss / len(testloader), correct / len(testloader.dataset)
